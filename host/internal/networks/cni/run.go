package cni

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

const (
	// DefaultTimeout is how long one plugin may take: those that ask a server for an address
	// take some seconds.
	DefaultTimeout = time.Minute
	// DefaultPatience is how long plugins of an earlier host are waited for.
	DefaultPatience = 20 * time.Second
)

// Runner runs plugins. All fields are required. It is safe for concurrent use; calls for one
// namespace run one after another.
type Runner struct {
	// Dir is for files of its own, which need not last.
	Dir string
	// Timeout bounds one run of one plugin, and Patience how long those of an earlier host
	// are waited for before they are killed.
	Timeout, Patience time.Duration
	Logger            hclog.Logger
}

// Attachment says for what plugins are run.
type Attachment struct {
	// ID names the namespace, and is the id of a container for the plugins.
	ID string
	// NetNS is its path, and empty if it is gone.
	NetNS string
	// IfName is the name of the link in it.
	IfName string
	// Chain are the plugins, and Dirs where their programs are.
	Chain *Chain
	Dirs  []string
	// Args has a value for each capability of which there is something to say; see CapIPs
	// and the others. A plugin gets those that it declares.
	Args map[string]any
	// Kept is that of the Result of Add, or nil if there is none.
	Kept []byte
}

// Add connects a namespace. If it fails, something may have been made, and Del takes it back.
func (r *Runner) Add(ctx context.Context, a Attachment) (*Result, error) {
	a.Kept = nil
	var result *Result
	err := r.with(ctx, a, func(c *libcni.CNIConfig, rt *libcni.RuntimeConf) error {
		made, err := c.AddNetworkList(ctx, a.Chain.list, rt)
		if err != nil {
			return err
		}
		kept, err := linux.ReadFile(r.keptPath(a), maxOutput)
		if err != nil {
			return err
		}
		result, err = resultOf(made, kept)
		return err
	})
	return result, err
}

// Del takes back what Add has made, or may have made. It can be repeated.
func (r *Runner) Del(ctx context.Context, a Attachment) error {
	return r.with(ctx, a, func(c *libcni.CNIConfig, rt *libcni.RuntimeConf) error {
		return c.DelNetworkList(ctx, a.Chain.list, rt)
	})
}

// Check asks the plugins whether what Add has made is there still. Those of a version that
// cannot tell say nothing.
func (r *Runner) Check(ctx context.Context, a Attachment) error {
	return r.with(ctx, a, func(c *libcni.CNIConfig, rt *libcni.RuntimeConf) error {
		err := c.CheckNetworkList(ctx, a.Chain.list, rt)
		if errors.Is(err, libcni.ErrorCheckNotSupp) {
			err = nil
		}
		return err
	})
}

// Attached is one that is to stay; see [Runner.GC].
type Attached struct{ ID, IfName string }

// GC has the plugins of a network remove what belongs to none of all that are attached, unless
// the list says disableGC. Those of versions before 1.1.0 cannot.
func (r *Runner) GC(ctx context.Context, chain *Chain, dirs []string, all []Attached) error {
	args := &libcni.GCArgs{ValidAttachments: []types.GCAttachment{}}
	for _, a := range all {
		args.ValidAttachments = append(args.ValidAttachments, types.GCAttachment{ContainerID: a.ID, IfName: a.IfName})
	}
	a := Attachment{ID: "gc-" + chain.Name(), IfName: "gc", Chain: chain, Dirs: dirs}
	defer r.Forget(a.ID)
	return r.with(ctx, a, func(c *libcni.CNIConfig, _ *libcni.RuntimeConf) error {
		return c.GCNetworkList(ctx, chain.list, args)
	})
}

// Probe asks the plugins of a list whether they know its version.
func (r *Runner) Probe(ctx context.Context, chain *Chain, dirs []string) error {
	c := libcni.NewCNIConfigWithCacheDir(dirs, r.Dir, &programs{timeout: r.Timeout})
	_, err := c.ValidateNetworkList(ctx, chain.list)
	return err
}

// Forget removes the files of a namespace for which no plugins are run any more.
func (r *Runner) Forget(id string) { _ = os.RemoveAll(filepath.Join(r.Dir, id)) }

// IDs returns the namespaces of which there are files, also of earlier hosts.
func (r *Runner) IDs() (ids []string, err error) {
	entries, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids, err
}

// keptPath is where libcni has what it wants to find again.
func (r *Runner) keptPath(a Attachment) string {
	return filepath.Join(r.Dir, a.ID, "results", fmt.Sprintf("%s-%s-%s", a.Chain.Name(), a.ID, a.IfName))
}

// with calls fn while no other plugins run for a namespace. libcni finds there what is kept,
// and nothing else.
func (r *Runner) with(ctx context.Context, a Attachment, fn func(*libcni.CNIConfig, *libcni.RuntimeConf) error) error {
	lock, err := r.fence(ctx, a.ID)
	if err != nil {
		return executor.Errorf(executor.Unavailable, "%w", err)
	}
	defer unfence(lock)
	kept := r.keptPath(a)
	err = os.RemoveAll(filepath.Dir(kept))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(kept), 0o700)
	}
	if err == nil && len(a.Kept) > 0 {
		err = os.WriteFile(kept, a.Kept, 0o600)
	}
	if err != nil {
		return executor.Errorf(executor.Unavailable, "%w", err)
	}
	defer os.RemoveAll(filepath.Dir(kept))
	c := libcni.NewCNIConfigWithCacheDir(a.Dirs, filepath.Join(r.Dir, a.ID), &programs{lock: lock, timeout: r.Timeout})
	err = fn(c, &libcni.RuntimeConf{
		ContainerID: a.ID, NetNS: a.NetNS, IfName: a.IfName, CapabilityArgs: a.Args,
		Args: [][2]string{{"IgnoreUnknown", "1"}}, // plugins refuse what others are told
	})
	if e, ok := errors.AsType[*PluginError](err); ok {
		if errors.Is(e.Err, executor.DeadlineExceeded) || ctx.Err() != nil {
			r.killOthers(lock, a.ID)
		}
		return e // it says which plugin, in one way
	}
	return err
}

// killOthers ends what a plugin that was killed has left to run.
func (r *Runner) killOthers(lock *os.File, id string) {
	found, _ := linux.FindHolders(lock.Name())
	for _, p := range found {
		r.Logger.Warn("what a plugin has started is killed with it", "netns", id, "pid", p.PID)
		_ = p.Signal(unix.SIGKILL)
		_ = p.Close()
	}
}
