package storm

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// dockerPeer is dockerd with live-restore on a containerd of its own.
type dockerPeer struct {
	dir, docker         string
	containerd, dockerd *daemon
}

// newDockerPeer returns nil if docker is not installed.
func newDockerPeer(ctx context.Context, program, rootfs string) (*dockerPeer, error) {
	dockerd, err := exec.LookPath("dockerd")
	if err != nil {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "dvp")
	if err != nil {
		return nil, err
	}
	p := &dockerPeer{dir: dir, docker: filepath.Join(filepath.Dir(dockerd), "docker")}
	if _, err := os.Stat(p.docker); err != nil {
		p.docker = "/usr/bin/docker"
	}
	if p.containerd, err = newContainerd(program, dir); err != nil {
		return p, err
	}
	p.dockerd = &daemon{
		args: []string{
			dockerd, "--host", "unix://" + p.socket(), "--containerd", filepath.Join(dir, "c.sock"),
			"--data-root", filepath.Join(dir, "root"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"),
			"--live-restore", "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs",
		},
		up: func(ctx context.Context) error { _, err := p.run(ctx, "version"); return err },
	}
	if err := p.revive(ctx); err != nil {
		return p, err
	}
	_, err = run(ctx, "sh", "-c", fmt.Sprintf("tar -C %s -c . | %s --host unix://%s import - storm", rootfs, p.docker, p.socket()))
	return p, err
}

func (p *dockerPeer) socket() string { return filepath.Join(p.dir, "d.sock") }

func (p *dockerPeer) run(ctx context.Context, args ...string) (string, error) {
	return run(ctx, p.docker, append([]string{"--host", "unix://" + p.socket()}, args...)...)
}

func (p *dockerPeer) name() string {
	return "dockerd " + strings.TrimSuffix(version(p.dockerd.args[0]), ",") + " --live-restore, json-file, containerd " + version(p.containerd.args[0])
}

func (p *dockerPeer) start(ctx context.Context, l *life) error {
	var err error
	l.id, err = p.run(ctx, append([]string{
		"run", "--detach", "--network", "none", "--log-driver", "json-file", "--volume", l.dir + ":/storm", "storm",
	}, l.command()...)...)
	if i := strings.LastIndexByte(l.id, '\n'); i >= 0 {
		l.id = l.id[i+1:]
	}
	return err
}

func (p *dockerPeer) manager() match { return p.dockerd.is }
func (p *dockerPeer) daemon() match  { return p.containerd.is }

func (p *dockerPeer) shim(l *life) match {
	return func(q process) bool {
		return strings.HasPrefix(filepath.Base(q.args[0]), "containerd-shim") && strings.Contains(strings.Join(q.args, " "), l.id)
	}
}

func (p *dockerPeer) revive(ctx context.Context) error {
	if err := p.containerd.start(ctx); err != nil {
		return err
	}
	return p.dockerd.start(ctx)
}

func (p *dockerPeer) end(ctx context.Context, l *life) (string, error) {
	for pause(ctx, 50*time.Millisecond) {
		state, err := p.run(ctx, "inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", l.id)
		if code, ok := strings.CutPrefix(state, "false "); ok && err == nil {
			return code, nil
		}
	}
	return "", ctx.Err()
}

func (p *dockerPeer) logs(ctx context.Context, l *life, read func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, p.docker, "--host", "unix://"+p.socket(), "logs", l.id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = read(out)
	if werr := cmd.Wait(); err == nil {
		err = werr
	}
	return err
}

func (p *dockerPeer) remove(ctx context.Context, l *life) { _, _ = p.run(ctx, "rm", "--force", l.id) }

func (p *dockerPeer) close() {
	if p.dockerd != nil {
		p.dockerd.stop()
	}
	if p.containerd != nil {
		p.containerd.stop()
	}
	_ = os.RemoveAll(p.dir)
}
