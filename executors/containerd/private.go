package containerd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// private is a containerd that belongs to one backend. Like the shims it
// outlives the executor: the next one finds it by its command line, in which the
// path of its config file is unique, so that there is never a second on the same
// root.
type private struct {
	program string
	root    string // in the backend's StateDir
	run     string // the backend's RunDir
	log     hclog.Logger

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

const (
	// privateTerm is how long the daemon may take to end after SIGTERM.
	privateTerm = 10 * time.Second
	// privateLogMax is the size from which a start of the daemon truncates its log.
	privateLogMax = 16 << 20
	// minPause and maxPause bound the pause before a daemon that ended is started
	// again. Starts wait meanwhile, so even one that ends again and again is not left
	// alone for long. The pause is short again after a daemon that was up for steady.
	minPause, maxPause = 50 * time.Millisecond, 2 * time.Second
	steady             = 10 * time.Second
)

func (p *private) address() string { return filepath.Join(p.run, "containerd.sock") }
func (p *private) config() string  { return filepath.Join(p.run, "containerd.toml") }
func (p *private) state() string   { return filepath.Join(p.run, "containerd") }

// startPrivate adopts the running daemon, or starts one, and starts it again whenever
// it ends.
func startPrivate(env executor.Environment, config Config, log hclog.Logger) (*private, error) {
	program, err := runtimes.LookPath(config.Containerd, os.Getenv("PATH"))
	if err != nil {
		return nil, executor.Errorf(executor.FailedPrecondition,
			"the backend has no address of a containerd, and %q to start as its own cannot be used: %w; install containerd, or set address in the backend's config", config.Containerd, err)
	}
	p := &private{program: program, root: filepath.Join(env.StateDir, "containerd"), run: env.RunDir, log: log}
	ended, err := p.ensure()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.wg.Go(func() { p.keep(ctx, ended) })
	return p, nil
}

// keep starts the daemon again whenever it ends.
func (p *private) keep(ctx context.Context, ended func(context.Context)) {
	for pause := minPause; ; {
		up := time.Now()
		if ended != nil {
			ended(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if time.Since(up) > steady {
			pause = minPause
		}
		p.log.Error("the backend's containerd ended and is started again", "program", p.program, "log", p.logFile())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, maxPause)
		var err error
		if ended, err = p.ensure(); err != nil {
			p.log.Error("the backend's containerd cannot be started", "error", err)
		}
	}
}

// ensure makes sure that the daemon runs. The function that it returns waits for
// the daemon's end, or for a context's.
func (p *private) ensure() (ended func(context.Context), err error) {
	unlock, err := p.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	running, err := p.find()
	if err != nil {
		return nil, err
	}
	if running != nil {
		return func(ctx context.Context) {
			_ = running.Wait(ctx)
			_ = running.Close()
		}, nil
	}
	cmd, err := p.start()
	if err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() { // ends with the daemon, or with this process
		_ = cmd.Wait()
		close(exited)
	}()
	return func(ctx context.Context) {
		select {
		case <-exited:
		case <-ctx.Done():
		}
	}, nil
}

// lock keeps other processes from finding no daemon, and starting one, before ours
// appears. It locks the directory; the daemon does not inherit the lock.
func (p *private) lock() (unlock func(), err error) {
	if err := os.MkdirAll(p.root, 0o711); err != nil {
		return nil, err
	}
	dir, err := os.Open(p.root)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("lock on %s: %w", p.root, err)
	}
	return func() { _ = dir.Close() }, nil
}

// find returns the daemon that runs on our config, or nil.
func (p *private) find() (*linux.Process, error) {
	found, err := linux.FindProcesses(p.is)
	if len(found) == 0 {
		return nil, err
	}
	for _, other := range found[1:] {
		_ = other.Close()
	}
	return found[0], nil
}

// is reports whether a process is a daemon on our config that our own user runs.
func (p *private) is(pid int) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	line, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil {
		return false
	}
	args := bytes.Split(line, []byte{0})
	if len(args) < 3 || string(args[1]) != "--config" || string(args[2]) != p.config() {
		return false
	}
	info, err := os.Stat(proc)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func (p *private) logFile() string { return filepath.Join(p.root, "log") }

// start starts a daemon, in its own session and with files for its output.
func (p *private) start() (*exec.Cmd, error) {
	if err := os.WriteFile(p.config(), p.configText(), 0o600); err != nil {
		return nil, err
	}
	if info, err := os.Stat(p.logFile()); err == nil && info.Size() > privateLogMax {
		if err := os.Truncate(p.logFile(), 0); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(p.logFile(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(p.program, "--config", p.config())
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// The shims beside the daemon are the ones that fit it.
	cmd.Env = append(oci.Environ(), "PATH="+filepath.Dir(p.program)+":"+os.Getenv("PATH"))
	if err := cmd.Start(); err != nil {
		return nil, executor.Errorf(executor.FailedPrecondition, "starting the backend's containerd: %w", err)
	}
	p.log.Info("started the backend's containerd", "program", p.program, "pid", cmd.Process.Pid, "address", p.address())
	return cmd, nil
}

// configText returns the config of a daemon of containerd 1.6 or later: version 2 is
// the format that they all read. Plugins that containers on a plain root file system
// do not need are disabled, so that the daemon starts in some 30 ms.
func (p *private) configText() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\n", filepath.Join(p.root, "root"), p.state())
	for _, plugin := range []string{
		"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
		"io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
		"io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
		"io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs",
	} {
		fmt.Fprintf(&b, "  %q,\n", plugin)
	}
	fmt.Fprintf(&b, "]\n[grpc]\n  address = %q\n[ttrpc]\n  address = %q\n", p.address(), p.address()+".ttrpc")
	return b.Bytes()
}

// leave stops supervising the daemon, which runs on.
func (p *private) leave() {
	p.cancel()
	p.wg.Wait()
}

// stop ends the daemon and removes what it has in the RunDir.
func (p *private) stop(ctx context.Context) error {
	p.leave()
	daemon, err := p.find()
	if err != nil {
		return err
	}
	if daemon != nil {
		if err := endDaemon(ctx, daemon); err != nil {
			return fmt.Errorf("stopping the backend's containerd: %w", err)
		}
	}
	// A shared mount of the daemon's may still be there.
	_ = unix.Unmount(p.state(), unix.MNT_DETACH)
	var errs []error
	for _, path := range []string{p.state(), p.config(), p.address(), p.address() + ".ttrpc"} {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// endDaemon ends a process by SIGTERM, and by SIGKILL if it takes too long.
func endDaemon(ctx context.Context, daemon *linux.Process) error {
	defer func() { _ = daemon.Close() }()
	ctx, cancel := context.WithTimeout(ctx, privateTerm)
	defer cancel()
	err := daemon.Signal(syscall.SIGTERM)
	if err == nil {
		if err = daemon.Wait(ctx); err != nil {
			_ = daemon.Signal(syscall.SIGKILL)
		}
	}
	if errors.Is(err, syscall.ESRCH) {
		return nil // it has ended
	}
	return err
}
