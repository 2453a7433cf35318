package vm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

const configFile = "/etc/davit/davit.hcl"

const config = `backend "main" { executor = "shim" }
default_backend = "main"
`

func configure(t *testing.T, more string) {
	t.Helper()
	if err := os.MkdirAll("/etc/davit", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, configFile, config+more)
}

// TestReady: systemctl start returns when the API answers, not before.
func TestReady(t *testing.T) {
	need(t, "service")
	for range 3 {
		sh(t, "systemctl disable --now davit && systemctl enable --now davit")
		answers(t)
	}
}

// TestReload changes the config under a running container, and once to one that is not valid.
func TestReload(t *testing.T) {
	need(t, "service")
	s := souls(t, "reload", 1)[0]
	host := hostPID(t)
	configure(t, `backend "more" { executor = "process" }`)
	sh(t, "systemctl reload davit")
	until(t, "davit backends --format json | grep -c '\"state\": \"ready\"'", "2")
	configure(t, `backend "more" { executor = `)
	if out, err := try(t, "systemctl reload davit"); err == nil {
		t.Errorf("a config that is not valid is reloaded: %s", out)
	}
	want(t, "systemctl is-active davit", "active")
	configure(t, "")
	sh(t, "systemctl reload davit")
	want(t, "davit backends --format '{{.Name}}'", "main (default)")
	s.lives(t)
	if now := hostPID(t); now != host {
		t.Errorf("the host is another: %d, was %d", now, host)
	}
	s.dies(t)
	s.ended(t)
}

// users makes a group and two users, of whom alice is a member.
func users(t *testing.T) {
	t.Helper()
	sh(t, "getent group davit >/dev/null || { groupadd --system davit && useradd -m -G davit alice && useradd -m bob; }")
}

func onlyAlice(t *testing.T) {
	t.Helper()
	want(t, "runuser -u alice -- davit run --rm --rootfs /srv/busybox echo alice", "alice")
	if out, err := try(t, "runuser -u bob -- davit --host /run/davit/davit.sock ps"); err == nil || !strings.Contains(out, "permission denied") {
		t.Errorf("bob is let in (%v): %s", err, out)
	}
}

// TestGroup lets a group in by the config.
func TestGroup(t *testing.T) {
	need(t, "service")
	users(t)
	configure(t, `api { group = "davit" }`)
	sh(t, "systemctl reload davit")
	onlyAlice(t)
	configure(t, "")
	sh(t, "systemctl restart davit")
	if out, err := try(t, "runuser -u alice -- davit ps"); err == nil {
		t.Errorf("alice is still let in: %s", out)
	}
}

// TestRestart replaces the host, and stops it for a while in which a container ends.
func TestRestart(t *testing.T) {
	need(t, "service")
	all := souls(t, "restart", 3)
	sh(t, "systemctl restart davit")
	for _, s := range all {
		s.lives(t)
	}
	all[0].dies(t)
	sh(t, "systemctl stop davit")
	all[1].dies(t)
	sh(t, fmt.Sprintf("test -e /proc/%d", all[2].pid))
	sh(t, "systemctl start davit")
	all[2].lives(t)
	all[2].dies(t)
	for _, s := range all {
		s.ended(t)
	}
}

// TestKilled kills the host more often than systemd starts other services again.
func TestKilled(t *testing.T) {
	need(t, "service")
	s := souls(t, "killed", 1)[0]
	for range 8 {
		pid := hostPID(t)
		sh(t, fmt.Sprint("kill -9 ", pid))
		until(t, fmt.Sprintf(`[ "$(systemctl show -P MainPID davit)" != %d ] && systemctl is-active davit`, pid), "active")
	}
	s.lives(t)
	s.dies(t)
	s.ended(t)
}

// TestWatchdog stops the host, as one that hangs, and lets a container end meanwhile.
func TestWatchdog(t *testing.T) {
	need(t, "service")
	sh(t, `mkdir -p /etc/systemd/system/davit.service.d
		printf '[Service]\nWatchdogSec=10s\n' >/etc/systemd/system/davit.service.d/watchdog.conf
		systemctl daemon-reload; systemctl restart davit`)
	all := souls(t, "watched", 2)
	pid := hostPID(t)
	before := sh(t, "systemctl show -P NRestarts davit")
	sh(t, fmt.Sprint("kill -STOP ", pid))
	began := time.Now()
	all[0].dies(t)
	until(t, fmt.Sprintf(`[ "$(systemctl show -P MainPID davit)" != %d ] && systemctl is-active davit`, pid), "active")
	t.Logf("the next host is there after %s", time.Since(began).Round(100*time.Millisecond))
	if after := sh(t, "systemctl show -P NRestarts davit"); after == before {
		t.Errorf("systemd counts %s restarts, as before", after)
	}
	all[1].lives(t)
	all[1].dies(t)
	for _, s := range all {
		s.ended(t)
	}
	sh(t, "rm -r /etc/systemd/system/davit.service.d; systemctl daemon-reload; systemctl restart davit")
}

// TestUnusableConfig starts no host, once, and says why in the journal. Containers run on.
func TestUnusableConfig(t *testing.T) {
	need(t, "service")
	s := souls(t, "config", 1)[0]
	configure(t, `backend "more" { exekutor = "shim" }`)
	if out, err := try(t, "systemctl restart davit"); err == nil {
		t.Errorf("a host is started without a usable config: %s", out)
	}
	time.Sleep(3 * time.Second) // for what must not happen
	want(t, "systemctl is-failed davit; systemctl show -P NRestarts,ExecMainStatus davit", "failed\n0\n78")
	if log := sh(t, "journalctl -u davit -p err -n 20 --no-pager -o cat"); !strings.Contains(log, "exekutor") {
		t.Errorf("the journal does not say what is wrong:\n%s", log)
	}
	configure(t, "")
	sh(t, "systemctl start davit")
	s.lives(t)
	s.dies(t)
	s.ended(t)
}

// TestSocket lets systemd make the socket, for a group: it starts the host when somebody
// connects, and those who connect while the host is away wait.
func TestSocket(t *testing.T) {
	need(t, "service")
	users(t)
	s := souls(t, "socket", 1)[0]
	sh(t, `mkdir -p /etc/systemd/system/davit.socket.d
		printf '[Socket]\nSocketGroup=davit\nSocketMode=0660\n' >/etc/systemd/system/davit.socket.d/group.conf
		systemctl daemon-reload; systemctl stop davit; systemctl enable --now davit.socket`)
	want(t, "systemctl is-active davit; true", "inactive")
	want(t, "davit ps -q | wc -l", "1")
	want(t, "systemctl is-active davit", "active")
	s.lives(t)
	onlyAlice(t)
	restarted := make(chan error, 1)
	go func() { restarted <- exec.Command("systemctl", "restart", "davit").Run() }()
	for running := true; running; {
		select {
		case err := <-restarted:
			if err != nil {
				t.Error(err)
			}
			running = false
		default:
			want(t, "curl -s --max-time 30 -o /dev/null -w '%{http_code}' --unix-socket /run/davit/davit.sock http://davit/v1/version", "200")
		}
	}
	s.lives(t)
	s.dies(t)
	s.ended(t)
	sh(t, "systemctl disable --now davit.socket; rm -r /etc/systemd/system/davit.socket.d; systemctl daemon-reload; systemctl restart davit")
	answers(t)
}

// TestJournal reads what the host has logged until now.
func TestJournal(t *testing.T) {
	need(t, "service")
	configure(t, `log { level = "debug" }`)
	sh(t, "systemctl restart davit; davit run --rm --rootfs /srv/busybox true; davit run --rm --rootfs /srv/busybox nonsense; true")
	configure(t, "")
	sh(t, "systemctl restart davit; journalctl --sync")
	priorities := map[string]string{"DEBUG": "7", "INFO": "6", "WARN": "4", "ERROR": "3"}
	seen := map[string]bool{}
	pid := ""
	for line := range bytes.Lines([]byte(sh(t, "journalctl -b -u davit -o json --no-pager"))) {
		var entry struct {
			Message  any    `json:"MESSAGE"`
			Priority string `json:"PRIORITY"`
			PID      string `json:"_PID"`
			Program  string `json:"_COMM"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatal(err)
		}
		text, ok := entry.Message.(string)
		if !ok {
			t.Errorf("an entry is no text: %v", entry.Message)
		}
		if entry.Program != "davit-host" {
			continue // systemd's own
		}
		if strings.HasPrefix(text, "SIGABRT") { // all that follows is of the watchdog's victim
			pid = entry.PID
		}
		if pid == entry.PID {
			continue
		}
		level := regexp.MustCompile(`^\[(TRACE|DEBUG|INFO|WARN|ERROR)\]`).FindStringSubmatch(text)
		switch {
		case strings.Contains(text, "map[") || strings.Contains(text, "0x") || strings.ContainsAny(text, "\x1b\t"):
			t.Errorf("an entry is hard to read: %s", text)
		case regexp.MustCompile(`^\S*20\d\d-\d\d-\d\dT`).MatchString(text):
			t.Errorf("an entry has a time of its own: %s", text)
		case level == nil:
			if entry.Priority != "3" && entry.Priority != "4" && !strings.HasPrefix(text, "  ") && !strings.HasPrefix(text, "davit: ") {
				t.Errorf("an entry of priority %s has no level: %s", entry.Priority, text)
			}
		case entry.Priority != priorities[level[1]]:
			t.Errorf("an entry has priority %s: %s", entry.Priority, text)
		default:
			seen[level[1]] = true
		}
	}
	for level := range priorities {
		if !seen[level] && level != "WARN" {
			t.Errorf("nothing is logged with level %s", level)
		}
	}
}
