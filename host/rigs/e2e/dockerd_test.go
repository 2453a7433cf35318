package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
)

// dockerd is a docker with directories of its own, which changes no network.
type dockerd struct {
	dir, client string
	cmd         *exec.Cmd
}

// newDockerd starts a docker on Debian's containerd, or returns nil and why there is none.
func newDockerd(t testing.TB) (*dockerd, string) {
	t.Helper()
	program, err := exec.LookPath("dockerd")
	if err != nil {
		return nil, "dockerd is not installed"
	}
	d := &dockerd{dir: realtest.Dir(t), client: filepath.Join(filepath.Dir(program), "../bin/docker")}
	if _, err := os.Stat(d.client); err != nil {
		d.client = "/usr/bin/docker"
	}
	containerd := realtest.Start(t, realtest.V16)
	log, err := os.Create(filepath.Join(d.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(program, "--host", d.host(), "--containerd", containerd.Address, "--data-root", filepath.Join(d.dir, "root"), "--exec-root", filepath.Join(d.dir, "exec"),
		"--pidfile", filepath.Join(d.dir, "pid"), "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--storage-driver=overlay2")
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(time.Minute, func() { _ = d.cmd.Process.Kill() })
		_ = d.cmd.Wait()
		timer.Stop()
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("docker's log:\n%s", text[max(0, len(text)-5000):])
		}
		log.Close()
	})
	wait.Until(t, "docker is up", func() bool { return d.command("version").Run() == nil })
	return d, ""
}

func (d *dockerd) host() string { return "unix://" + filepath.Join(d.dir, "d.sock") }

// command makes a docker command line.
func (d *dockerd) command(args ...string) *exec.Cmd {
	return exec.Command(d.client, append([]string{"--host", d.host(), "--config", filepath.Join(d.dir, "config")}, args...)...)
}

// must runs docker, and returns what it prints.
func (d *dockerd) must(t testing.TB, args ...string) string {
	t.Helper()
	out, err := d.command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
