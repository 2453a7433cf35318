package storm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// daemon is a process that peers have for themselves, started again when it is
// dead.
type daemon struct {
	args []string
	cmd  *exec.Cmd
	up   func(context.Context) error // whether it answers
}

func (d *daemon) is(p process) bool { return strings.Join(p.args, " ") == strings.Join(d.args, " ") }

func (d *daemon) start(ctx context.Context) error {
	if _, ok := only(d.is); !ok {
		if d.cmd != nil {
			_ = d.cmd.Wait()
		}
		d.cmd = exec.Command(d.args[0], d.args[1:]...)
		d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := d.cmd.Start(); err != nil {
			return err
		}
	}
	for {
		err := d.up(ctx)
		if err == nil || !pause(ctx, 20*time.Millisecond) {
			return err
		}
	}
}

func (d *daemon) stop() {
	if d.cmd != nil && d.cmd.Process.Signal(syscall.SIGTERM) == nil {
		_ = d.cmd.Wait()
	}
}

// newContainerd prepares a containerd in a directory.
func newContainerd(program, dir string) (*daemon, error) {
	config := filepath.Join(dir, "containerd.toml")
	text := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = %q\n",
		filepath.Join(dir, "croot"), filepath.Join(dir, "cstate"), filepath.Join(dir, "c.sock"))
	ctr := filepath.Join(filepath.Dir(program), "ctr")
	return &daemon{
		args: []string{program, "--config", config},
		up: func(ctx context.Context) error {
			_, err := run(ctx, ctr, "--address", filepath.Join(dir, "c.sock"), "version")
			return err
		},
	}, os.WriteFile(config, []byte(text), 0o600)
}

// exitCode is what ctr says when it deletes a task.
var exitCode = regexp.MustCompile(`non-zero exit code (\d+)`)

// ctrPeer is `ctr run` with a log that the shim writes. Its manager is the client
// that waits for the container.
type ctrPeer struct {
	dir, ctr, rootfs string
	containerd       *daemon
	client           *exec.Cmd
}

func newCtrPeer(ctx context.Context, program, rootfs string) (*ctrPeer, error) {
	dir, err := os.MkdirTemp("", "dvp")
	if err != nil {
		return nil, err
	}
	p := &ctrPeer{dir: dir, ctr: filepath.Join(filepath.Dir(program), "ctr"), rootfs: rootfs}
	if p.containerd, err = newContainerd(program, dir); err == nil {
		err = p.containerd.start(ctx)
	}
	return p, err
}

func (p *ctrPeer) name() string {
	return "ctr run, file log, containerd " + version(p.containerd.args[0])
}

func (p *ctrPeer) run(ctx context.Context, args ...string) (string, error) {
	return run(ctx, p.ctr, append([]string{"--address", filepath.Join(p.dir, "c.sock")}, args...)...)
}

func (p *ctrPeer) log(l *life) string { return filepath.Join(p.dir, l.id+".log") }

func (p *ctrPeer) start(_ context.Context, l *life) error {
	l.id = fmt.Sprintf("peer-%d", l.n)
	p.client = exec.Command(p.ctr, append([]string{
		"--address", filepath.Join(p.dir, "c.sock"), "run", "--rootfs", "--log-uri", "file://" + p.log(l),
		"--mount", "type=bind,src=" + l.dir + ",dst=/storm,options=rbind:rw", p.rootfs, l.id,
	}, l.command()...)...)
	if err := p.client.Start(); err != nil {
		return err
	}
	go func(c *exec.Cmd) { _ = c.Wait() }(p.client)
	return nil
}

func (p *ctrPeer) manager() match {
	pid := p.client.Process.Pid
	if startTime(pid) == "" {
		return nil // nobody starts a client again
	}
	return func(q process) bool { return q.pid == pid && filepath.Base(q.args[0]) == "ctr" }
}

func (p *ctrPeer) daemon() match { return p.containerd.is }

func (p *ctrPeer) shim(l *life) match {
	return func(q process) bool {
		line := strings.Join(q.args, " ")
		return strings.HasPrefix(filepath.Base(q.args[0]), "containerd-shim") && strings.Contains(line, p.dir) && strings.Contains(line, l.id)
	}
}

func (p *ctrPeer) revive(ctx context.Context) error { return p.containerd.start(ctx) }

// end asks containerd: what ends a container that ran detached is the deletion of
// its task, whose exit code is the container's.
func (p *ctrPeer) end(ctx context.Context, l *life) (string, error) {
	for pause(ctx, 50*time.Millisecond) {
		if p.client.ProcessState != nil && p.client.ProcessState.Exited() && p.client.ProcessState.ExitCode() == l.code {
			return fmt.Sprint(l.code), nil
		}
		list, err := p.run(ctx, "tasks", "list")
		if err != nil || strings.Contains(list, l.id) && !strings.Contains(list, "STOPPED") {
			continue
		}
		if !strings.Contains(list, l.id) {
			pause(ctx, 200*time.Millisecond)
			if p.client.ProcessState != nil && p.client.ProcessState.Exited() {
				return fmt.Sprint(p.client.ProcessState.ExitCode()), nil
			}
			return "none: the task is unknown", nil
		}
		said, err := p.run(ctx, "tasks", "delete", l.id)
		if code := exitCode.FindStringSubmatch(said); code != nil {
			return code[1], nil // 1.6 says so, and exits with 0
		}
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return fmt.Sprint(exit.ExitCode()), nil
		}
		return "0", err
	}
	return "", ctx.Err()
}

func (p *ctrPeer) logs(_ context.Context, l *life, read func(io.Reader) error) error {
	f, err := os.Open(p.log(l))
	if err != nil {
		return err
	}
	defer f.Close()
	return read(f)
}

func (p *ctrPeer) remove(ctx context.Context, l *life) {
	_, _ = p.run(ctx, "tasks", "delete", "--force", l.id)
	_, _ = p.run(ctx, "containers", "delete", l.id)
}

func (p *ctrPeer) close() {
	p.containerd.stop()
	_ = os.RemoveAll(p.dir)
}
