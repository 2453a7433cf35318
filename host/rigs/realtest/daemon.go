package realtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
)

// Daemon is a containerd with a root, state and socket of its own. It is stopped
// when the test ends.
type Daemon struct {
	// Dir holds all of the daemon's files, Address is its socket.
	Dir, Address string

	t    testing.TB
	bin  string
	path []string
	cmd  *exec.Cmd
	log  *os.File
}

// Start starts a containerd. It finds its shims in the directory of its own
// version, and then in those of path, in this order; runc is always found.
func Start(t testing.TB, version string, path ...string) *Daemon {
	t.Helper()
	t.Logf("real backend: containerd %s", version) // .ci/run counts these
	dir := Dir(t)
	d := &Daemon{Dir: dir, Address: filepath.Join(dir, "c.sock"), t: t, bin: filepath.Join(Bin(t, version), "containerd")}
	if path == nil {
		path = []string{filepath.Dir(d.bin)}
	}
	d.path = append(path, onlyRunc(t, dir))
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.cri.v1.images\", \"io.containerd.cri.v1.runtime\", \"io.containerd.snapshotter.v1.devmapper\", \"io.containerd.snapshotter.v1.btrfs\", \"io.containerd.snapshotter.v1.zfs\", \"io.containerd.nri.v1.nri\"]\n[grpc]\n  address = %q\n",
		filepath.Join(dir, "root"), filepath.Join(dir, "state"), d.Address)
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if d.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.cmd != nil {
			d.nothingLeft()
			d.signal(syscall.SIGTERM)
		}
		if t.Failed() {
			b, _ := os.ReadFile(d.log.Name())
			t.Logf("containerd's log:\n%s", tail(string(b), 60))
		}
		d.log.Close()
	})
	d.Start()
	return d
}

// nothingLeft fails the test if the daemon still has a record of davit's.
func (d *Daemon) nothingLeft() {
	d.t.Helper()
	out, err := exec.Command(filepath.Join(filepath.Dir(d.bin), "ctr"), "--address", d.Address, "--namespace", "davit", "containers", "list", "--quiet").Output()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		d.t.Errorf("records that are left in containerd: %v %s", err, bytes.TrimSpace(out))
	}
	if left := d.Ctr("davit", "leases", "list"); strings.Contains(left, "davit.run/") { // ctr has some of its own
		d.t.Errorf("leases that are left in containerd:\n%s", left)
	}
}

// onlyRunc makes a directory that holds runc and no shims.
func onlyRunc(t testing.TB, dir string) string {
	t.Helper()
	runc, err := exec.LookPath("runc")
	if err != nil {
		Need(t, "runc")
	}
	dir = filepath.Join(dir, "runc")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(runc, filepath.Join(dir, "runc")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Start starts the daemon again after Kill or Stop.
func (d *Daemon) Start() { d.t.Helper(); d.start(&syscall.SysProcAttr{Setsid: true}) }

// AddPath adds a directory to those in which the daemon finds shims, when it is started
// next.
func (d *Daemon) AddPath(dir string) { d.path = append(d.path, dir) }

// StartApart does what Start does, in a mount namespace that sees no later mounts of the
// machine's.
func (d *Daemon) StartApart() {
	d.t.Helper()
	d.start(&syscall.SysProcAttr{Setsid: true, Unshareflags: syscall.CLONE_NEWNS})
}

func (d *Daemon) start(attr *syscall.SysProcAttr) {
	d.t.Helper()
	d.cmd = exec.Command(d.bin, "--config", filepath.Join(d.Dir, "config.toml"))
	d.cmd.Env = []string{"PATH=" + strings.Join(d.path, ":")}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.SysProcAttr = attr
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	wait.Until(d.t, "containerd is up", func() bool {
		c, err := net.Dial("unix", d.Address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// Kill ends the daemon with SIGKILL.
func (d *Daemon) Kill() { d.t.Helper(); d.signal(syscall.SIGKILL) }

// Stop ends it in good order.
func (d *Daemon) Stop() { d.t.Helper(); d.signal(syscall.SIGTERM) }

func (d *Daemon) signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Errorf("signal containerd: %v", err)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = d.cmd.Process.Kill() })
	_ = d.cmd.Wait()
	timer.Stop()
	d.cmd = nil
}

func tail(s string, lines int) string {
	all := slices.DeleteFunc(strings.Split(strings.TrimSpace(s), "\n"), func(line string) bool {
		return strings.Contains(line, "loading plugin")
	})
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
