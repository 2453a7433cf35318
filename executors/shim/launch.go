package shim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/executors/shim/minishim"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// startShim starts the shim of a container whose bundle is there, and gives how
// to reach it. Shims are leaders of sessions of their own and hold nothing of
// this process, so that they outlive it.
func (b *Backend) startShim(ctx context.Context, p plan) (contact, error) {
	r, prog, options := p.record, p.prog, p.wire.Container
	switch {
	case p.mini:
		return b.startMini(r)
	case prog.path == "" && !p.inCgroup:
		return b.startOwn(r)
	}
	if prog.protocol != bootLegacy {
		c, err := b.askToStart(ctx, r, bootParams(r, b.owner.ContainerID(r.Ref.ID), b.sink.path, options))
		if err == nil || prog.protocol == bootParameters || ctx.Err() != nil {
			return c, err
		}
		b.log.Debug("shim does not take bootstrap parameters", "shim", prog.path, "error", err)
	}
	var stdin proto.Message
	if options != nil {
		stdin = options
	}
	return b.askToStart(ctx, r, stdin)
}

// startMini has the small shim serve a container.
func (b *Backend) startMini(r record) (contact, error) {
	c, l, err := b.listen(r)
	if err != nil {
		return c, err
	}
	defer l.Close()
	return c, b.spares.assign(minishim.Assignment{Bundle: b.state.bundle(r.Ref.ID), Namespace: r.Namespace}, l)
}

// startOwn starts the executor's own copy of containerd's shim, with a socket that
// it inherits.
func (b *Backend) startOwn(r record) (contact, error) {
	c, l, err := b.listen(r)
	if err != nil {
		return c, err
	}
	defer l.Close()
	// When it ends in good order it removes the socket that this file names.
	if err := os.WriteFile(filepath.Join(b.state.bundle(r.Ref.ID), "address"), []byte(c.Address), 0o600); err != nil {
		return c, err
	}
	f, err := l.File()
	if err != nil {
		return c, err
	}
	defer f.Close()
	cmd := b.shimCommand(context.Background(), r)
	cmd.ExtraFiles = []*os.File{f}
	if err := cmd.Start(); err != nil {
		return c, fmt.Errorf("start the executor's own shim: %w", err)
	}
	// The shim is our child for as long as we live, and has to be reaped. There
	// is nothing to wait for when the backend is closed.
	go func() { _ = cmd.Wait() }()
	return c, nil
}

// listen makes the socket of one of the executor's own shims.
func (b *Backend) listen(r record) (contact, *net.UnixListener, error) {
	socket := b.ownSocket(r)
	c := contact{Address: "unix://" + socket, Version: 3}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return c, nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return c, nil, err
	}
	l.SetUnlinkOnClose(false)
	return c, l, nil
}

// contact gives how to reach the shim of a container.
func (b *Backend) contact(r record) (contact, error) {
	c, err := get[contact](b.state, r.Ref.ID, contactFile)
	if errors.Is(err, os.ErrNotExist) && r.Shim == "" {
		return contact{Address: "unix://" + b.ownSocket(r), Version: 3}, nil
	}
	return c, err
}

// ownSocket gives the socket of the executor's own shim for a container.
func (b *Backend) ownSocket(r record) string {
	sum := sha256.Sum256([]byte(r.Ref.ID))
	return filepath.Join(b.env.RunDir, hex.EncodeToString(sum[:8])+".sock")
}

// askToStart runs the shim's start action.
func (b *Backend) askToStart(ctx context.Context, r record, stdin proto.Message) (contact, error) {
	cmd := b.shimCommand(ctx, r, "start")
	if stdin != nil {
		input, err := proto.Marshal(stdin)
		if err != nil {
			return contact{}, err
		}
		cmd.Stdin = bytes.NewReader(input)
	}
	answer, err := output(cmd)
	if err != nil {
		return contact{}, err
	}
	c, err := parseAnswer(answer)
	if err == nil {
		_, err = c.socket()
	}
	if err == nil {
		err = b.state.put(r.Ref.ID, contactFile, c)
	}
	return c, err
}

// shimCommand makes a command of a container's shim.
func (b *Backend) shimCommand(ctx context.Context, r record, action ...string) *exec.Cmd {
	path := r.Shim
	if path == "" {
		path = self
	}
	args := append([]string{"-namespace", r.Namespace, "-id", b.owner.ContainerID(r.Ref.ID), "-address", "", "-publish-binary", os.DevNull}, action...)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = b.state.bundle(r.Ref.ID)
	cmd.Env = append(environment(), "GOMAXPROCS=2", "MAX_SHIM_VERSION=2", "TTRPC_ADDRESS="+b.sink.path, "GRPC_ADDRESS=", "NAMESPACE="+r.Namespace)
	if r.Shim == "" {
		cmd.Args[0] = "containerd-shim-runc-v2"
		cmd.Env = append(cmd.Env, b.own.Env)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// A shim that leaves our pipe to its server does not hold us up.
	cmd.WaitDelay = time.Second
	return cmd
}

// environment is ours without what concerns plugins alone.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "DAVIT_") && !strings.HasPrefix(v, "PLUGIN_") {
			env = append(env, v)
		}
	}
	return env
}

// output runs cmd and gives its stdout, and its stderr as an error.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return stdout.Bytes(), nil
	}
	message := strings.TrimSpace(stderr.String() + " " + stdout.String())
	return nil, fmt.Errorf("%s %s: %w: %s", cmd.Args[0], cmd.Args[len(cmd.Args)-1], err, message)
}

// bootProtocol is what a shim takes on stdin when it is asked to start.
type bootProtocol int

const (
	bootUnknown    bootProtocol = iota // try parameters, then options
	bootParameters                     // from containerd 2.3 on
	bootLegacy                         // the runtime's options, or nothing
)

func bootProtocolOf(version string) bootProtocol {
	v, ok := runtimes.ParseRelease(version)
	switch {
	case !ok:
		return bootUnknown
	case v.Before(runtimes.Release{Major: 2, Minor: 3}):
		return bootLegacy
	default:
		return bootParameters
	}
}

func bootParams(r record, cid, events string, options *anypb.Any) *bootapi.BootstrapParams {
	p := &bootapi.BootstrapParams{
		InstanceID:             cid,
		Namespace:              r.Namespace,
		ContainerdVersion:      bootVersion,
		ContainerdTtrpcAddress: events,
		ContainerdBinary:       os.DevNull,
	}
	if options != nil {
		p.Extensions = []*bootapi.Extension{{Value: options}}
	}
	return p
}

// bootVersion is the version of containerd whose way of starting shims is
// followed.
const bootVersion = "2.3.7"

// parseAnswer reads what a shim printed when it was started: protobuf from
// containerd 2.3 on, JSON from 2.0 on, and an address before.
func parseAnswer(answer []byte) (contact, error) {
	var result bootapi.BootstrapResult
	if err := proto.Unmarshal(answer, &result); err == nil && result.Address != "" {
		return checkAnswer(int(result.Version), result.Address, result.Protocol)
	}
	answer = bytes.TrimSpace(answer)
	var old struct {
		Version  int    `json:"version"`
		Address  string `json:"address"`
		Protocol string `json:"protocol"`
	}
	if err := json.Unmarshal(answer, &old); err == nil {
		return checkAnswer(old.Version, old.Address, old.Protocol)
	}
	return checkAnswer(2, string(answer), "ttrpc")
}

func checkAnswer(version int, address, protocol string) (contact, error) {
	switch {
	case version < 2 || version > 3:
		return contact{}, executor.Errorf(executor.Unsupported, "the shim speaks version %d of the task API; versions 2 and 3 are supported", version)
	case protocol != "ttrpc":
		return contact{}, executor.Errorf(executor.Unsupported, "the shim speaks %q; only ttrpc is supported", protocol)
	}
	return contact{Address: address, Version: version}, nil
}
