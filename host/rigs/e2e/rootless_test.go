package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
)

// TestHostWithoutRoot: a host of a user who is not root has all its files in places of that
// user, where davit finds it, and runs what takes no root; what does is refused in words.
func TestHostWithoutRoot(t *testing.T) {
	need(t)
	home, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	const uid = 4321
	for _, dir := range []string{filepath.Dir(bin), home} {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(home, uid, uid); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, "davit"), args...)
		cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=/run"} // root's
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}, Setsid: true}
		return cmd
	}
	run := func(args ...string) result {
		cmd := command(args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	}
	serve := command("serve")
	var log bytes.Buffer
	serve.Stderr = &log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(30*time.Second, func() { _ = serve.Process.Kill() })
		_ = serve.Wait()
		late.Stop()
		if left := leftovers(home); len(left) > 0 {
			t.Errorf("left behind:\n  %s", strings.Join(left, "\n  "))
		}
		if t.Failed() {
			t.Logf("log of the host:\n%s", log.Bytes())
		}
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	wait.Until(t, "the backends are ready", func() bool { return run("backends", "--check").code == 0 })
	if got := run("run", "--rm", "--rootfs", ".", "sh", "-c", "id -u; exit 3"); got.stdout != "4321\n" || got.code != 3 || got.stderr != "" {
		t.Errorf("run: got %+v", got)
	}
	for flags, want := range map[string]string{
		"-m 64m": "linux.resources.memory.limit", "-u 33": "cannot run a process as 33", "-v /srv:/x": "mounts", "--network default": "CAP_NET_ADMIN",
	} {
		got := run(append(append([]string{"run", "--rm"}, strings.Fields(flags)...), "--rootfs", ".", "true")...)
		if got.code != 125 || !strings.Contains(got.stderr, want) {
			t.Errorf("run %s: got %+v, want an error with %s", flags, got, want)
		}
	}
	for _, place := range []string{".local/share/davit/davit.db", ".local/share/davit/run/davit.sock"} {
		if !exists(filepath.Join(home, place)) {
			t.Errorf("there is no %s", place)
		}
	}
}
