package shim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// startShim starts the shim of a container whose bundle exists, and returns how to
// reach it. A shim leads a session of its own and has nothing of this process open,
// so that it outlives this process.
func (d *driver) startShim(ctx context.Context, p *plan) (contact, error) {
	r, prog, options := p.record, p.prog, p.wire.Container
	if p.ownShim() {
		return d.startOwn(p)
	}
	if prog.protocol != bootLegacy {
		c, err := d.askToStart(ctx, r, bootParams(r, d.sink.path, options))
		if err == nil || prog.protocol == bootParameters || ctx.Err() != nil {
			return c, err
		}
		d.log.Debug("shim does not take bootstrap parameters", "shim", prog.path, "error", err)
	}
	var stdin proto.Message
	if options != nil {
		stdin = options
	}
	return d.askToStart(ctx, r, stdin)
}

// contact returns how to reach the shim of a container.
func (d *driver) contact(r record) (contact, error) {
	if r.ownShim() {
		return d.ownContact(r), nil
	}
	return get[contact](d.state, r.Ref.ID, contactFile)
}

// askToStart runs the shim's start action.
func (d *driver) askToStart(ctx context.Context, r record, stdin proto.Message) (contact, error) {
	cmd := d.shimCommand(ctx, r, "start")
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
		err = d.state.put(r.Ref.ID, contactFile, c)
	}
	return c, err
}

// shimCommand returns a command of a container's shim, which is not davit's own.
func (d *driver) shimCommand(ctx context.Context, r record, action ...string) *exec.Cmd {
	args := append([]string{"-namespace", r.Namespace, "-id", r.CID, "-address", "", "-publish-binary", os.DevNull}, action...)
	cmd := exec.CommandContext(ctx, r.Shim, args...)
	cmd.Dir = d.state.bundle(r)
	cmd.Env = append(oci.Environ(), "GOMAXPROCS=2", "MAX_SHIM_VERSION=2", "TTRPC_ADDRESS="+d.sink.path, "GRPC_ADDRESS=", "NAMESPACE="+r.Namespace)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// A shim that leaves our pipe to its server does not delay us.
	cmd.WaitDelay = time.Second
	return cmd
}

// maxAnswer is how much of what a shim prints is kept, in bytes.
const maxAnswer = 64 << 10

// output runs cmd and returns its stdout, and its stderr as an error.
func output(cmd *exec.Cmd) ([]byte, error) {
	stdout, stderr := linux.Head{Most: maxAnswer}, linux.Head{Most: maxAnswer}
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

func bootParams(r record, events string, options *anypb.Any) *bootapi.BootstrapParams {
	p := &bootapi.BootstrapParams{
		InstanceID:             r.CID,
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

// bootVersion is the version of containerd whose way of starting shims the executor
// follows.
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
