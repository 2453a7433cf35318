package vm

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// executorPID returns the pid of the executor of the backend main.
func executorPID(t *testing.T) string {
	t.Helper()
	until(t, "davit backends --check >/dev/null && echo ready", "ready")
	return sh(t, "davit backends --format '{{.PID}}'")
}

// TestUpgrade upgrades the package of an earlier build under running containers, and under a
// davit run in the foreground, which is of the earlier build itself.
func TestUpgrade(t *testing.T) {
	need(t, "upgrade")
	sh(t, "dpkg -i /vm/old.deb")
	until(t, "test -S /run/davit/davit.sock && systemctl is-active davit", "active")
	all := souls(t, "upgraded", 3)
	sh(t, "davit run -d --name web -p 8080:80 -v /srv/www:/www:ro --rootfs /srv/busybox httpd -f -h /www")
	web := pidOf(t, "web")
	until(t, "curl -s localhost:8080", "<h1>hello</h1>")
	executor, host := executorPID(t), hostPID(t)

	const lines = 100
	foreground := exec.Command("davit", "run", "--name", "foreground", "--rootfs", "/srv/busybox", "sh", "-c",
		fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); until [ -e /go ] || [ $i -lt %d ]; do sleep 0.1; done; done; exit 9", lines, lines/2))
	var stdout, stderr bytes.Buffer
	foreground.Stdout, foreground.Stderr = &stdout, &stderr
	if err := foreground.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "davit logs foreground | tail -n 1", fmt.Sprint(lines/2-1))

	out := sh(t, "dpkg -i /vm/new.deb")
	answers(t)
	if !strings.Contains(out, "davit backend restart") {
		t.Errorf("it is not said that executors stay:\n%s", out)
	}
	want(t, "davit version -f '{{.host.version}}'", strings.TrimPrefix(sh(t, "davit --version"), "davit "))
	if now := hostPID(t); now == host {
		t.Error("the host is the earlier one")
	}
	if now := executorPID(t); now != executor {
		t.Errorf("the executor is another, %s after %s", now, executor)
	}
	all[0].lives(t)
	all[0].dies(t)
	all[0].ended(t)
	want(t, "curl -s localhost:8080", "<h1>hello</h1>")

	sh(t, "davit backend restart main")
	if now := executorPID(t); now == executor {
		t.Error("the executor is the earlier one")
	}
	all[1].lives(t)
	want(t, "curl -s localhost:8080", "<h1>hello</h1>")
	if now := pidOf(t, "web"); now != web {
		t.Errorf("web is another, %d after %d", now, web)
	}
	sh(t, "touch /srv/busybox/go")
	err := foreground.Wait()
	if code := foreground.ProcessState.ExitCode(); code != 9 {
		t.Errorf("davit run: %v, want exit code 9; it said %s", err, &stderr)
	}
	for i := range lines {
		if line, _ := stdout.ReadString('\n'); line != fmt.Sprintf("%d\n", i) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	for _, s := range all[1:] {
		s.dies(t)
		s.ended(t)
	}
	sh(t, "rm /srv/busybox/go; davit rm -f web foreground")
}
