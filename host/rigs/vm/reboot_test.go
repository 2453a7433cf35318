package vm

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// resident is a container that is there when the machine goes down.
type resident struct {
	name, flags, script string
	stopped             bool // by a user before
	// got is what it is told at the end, and code its exit code.
	got  string
	code int
	// attempt is which one runs after the boot; 0 is none.
	attempt int
}

// told ends with a code when it gets a signal, and writes down which.
func told(signal string, code int) string {
	return fmt.Sprintf(`trap "echo %s >>/got/$NAME; exit %d" %s`, signal, code, signal)
}

func residents() []resident {
	return []resident{
		{name: "once", script: told("TERM", 7), got: "TERM\n", code: 7},
		{name: "own", flags: "--stop-signal USR1", script: told("TERM", 7) + ";" + told("USR1", 8), got: "USR1\n", code: 8},
		{name: "deaf", flags: "--stop-timeout 3", script: `trap "echo TERM >>/got/$NAME" TERM`, got: "TERM\n", code: 137},
		{name: "always", flags: "--restart always", script: told("TERM", 7), got: "TERM\n", code: 7, attempt: 2},
		{name: "unless", flags: "--restart unless-stopped", script: told("TERM", 7), got: "TERM\n", code: 7, attempt: 2},
		{name: "failing", flags: "--restart on-failure", script: told("TERM", 7), got: "TERM\n", code: 7, attempt: 2},
		{name: "fine", flags: "--restart on-failure", script: told("TERM", 0), got: "TERM\n"},
		{name: "stopped", flags: "--restart unless-stopped", script: told("TERM", 7), stopped: true, got: "TERM\n", code: 7},
		{name: "stoppedalways", flags: "--restart always", script: told("TERM", 7), stopped: true, got: "TERM\n", code: 7, attempt: 2},
	}
}

// TestLeave leaves containers, for the machine to be turned off.
func TestLeave(t *testing.T) {
	need(t, "leave")
	sh(t, "mkdir -p /srv/got")
	for _, r := range residents() {
		sh(t, fmt.Sprintf(`davit run -d --name %s %s -e NAME=%[1]s -v /srv/got:/got --rootfs /srv/busybox sh -c '%[3]s; echo ready; while :; do sleep 0.1; done'`, r.name, r.flags, r.script))
		until(t, "davit logs "+r.name, "ready")
		if r.stopped {
			sh(t, "davit stop "+r.name)
		}
	}
	sh(t, "davit run -d --name web -p 8080:80 --restart always -v /srv/www:/www:ro --rootfs /srv/busybox httpd -f -h /www")
	until(t, "curl -s localhost:8080", "<h1>hello</h1>")
}

// boot is what is known of a container after a boot.
type boot struct {
	State   string
	Attempt int
	Exit    *struct {
		Code           *int
		Attempt        int
		Source, Reason string
	}
}

func (b boot) String() string {
	text, _ := json.Marshal(b)
	return string(text)
}

// after waits until a container is in the state that its policy wants, and returns it.
func (r resident) after(t *testing.T, attempt int) (b boot) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var list []boot
		if err := json.Unmarshal([]byte(sh(t, "davit inspect "+r.name)), &list); err != nil || len(list) != 1 {
			t.Fatalf("inspect %s: %v", r.name, err)
		}
		b = list[0]
		if attempt == 0 && b.State == "exited" || attempt > 0 && b.State == "running" && b.Attempt == attempt {
			return b
		}
	}
	t.Errorf("%s is %s, want attempt %d", r.name, b, attempt)
	return b
}

// TestAfterPoweroff: what containers got when the machine went down, which exits are known, and
// which containers run again.
func TestAfterPoweroff(t *testing.T) {
	need(t, "after-poweroff")
	for _, r := range residents() {
		if got, err := os.ReadFile("/srv/got/" + r.name); string(got) != r.got {
			t.Errorf("%s got %q, want %q (%v)", r.name, got, r.got, err)
		}
		b := r.after(t, r.attempt)
		if r.attempt == 0 && (b.Exit == nil || b.Exit.Code == nil || *b.Exit.Code != r.code) {
			t.Errorf("%s: %s, want exit code %d", r.name, b, r.code)
		}
		if r.attempt > 0 {
			want(t, fmt.Sprintf(`davit events --filter event=exited --filter container=%s --format '{{.data.code}}' | tail -n 1`, r.name), fmt.Sprint(r.code))
		}
	}
	until(t, "curl -s localhost:8080", "<h1>hello</h1>")
	sh(t, "davit start once")
	sh(t, "sync") // what follows is the loss of the power, which no exit survives
}

// TestAfterPowerCut: an exit that nobody saw is lost, for that reason, and policies hold.
func TestAfterPowerCut(t *testing.T) {
	need(t, "after-cut")
	for _, r := range residents() {
		switch {
		case r.name == "once":
			if b := r.after(t, 0); b.Exit == nil || b.Exit.Code != nil || b.Exit.Source != "lost" || !strings.Contains(b.Exit.Reason, "reboot") || b.Attempt != 2 {
				t.Errorf("%s: %s, want a lost exit of attempt 2", r.name, b)
			}
		case r.attempt > 0:
			r.after(t, r.attempt+1)
		default:
			if b := r.after(t, 0); b.Exit == nil || b.Exit.Code == nil || *b.Exit.Code != r.code {
				t.Errorf("%s: %s, want exit code %d as before", r.name, b, r.code)
			}
		}
	}
	until(t, "curl -s localhost:8080", "<h1>hello</h1>")
}
