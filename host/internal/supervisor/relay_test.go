package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// hostLog collects a host's log as text.
type hostLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *hostLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *hostLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// relayed starts a relay on files that the test writes to.
func relayed(t *testing.T) (r *relay, log, stdout *os.File, host *hostLog) {
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	log, stdout, host = open(logFile), open(stdoutFile), &hostLog{}
	r, err := startRelay(dir, false, hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: host}))
	if err != nil {
		t.Fatal(err)
	}
	return r, log, stdout, host
}

func blocks(t *testing.T, f *os.File) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

func TestRelayOfAFlood(t *testing.T) {
	r, log, stdout, host := relayed(t)
	flood := bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), 10_000)
	for range 64 {
		if _, err := log.Write(flood); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stdout.Write(flood); err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString("the last line\n"); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the files are small again", func() bool { return blocks(t, log) <= 4*relayKept && blocks(t, stdout) <= stdoutKept })
	r.close()
	got := host.String()
	if len(got) > 3*budgetBurst {
		t.Errorf("%d bytes of 64 MB are in the host's log", len(got))
	}
	if !strings.Contains(got, "the executor logs more than the host's log takes: some of it was dropped: bytes=") {
		t.Error("nothing is said of what was dropped")
	}
}

// A moment of ftruncate makes a file of a terabyte.
func TestRelayOfAHole(t *testing.T) {
	r, log, stdout, host := relayed(t)
	if _, err := log.WriteString("before\n"); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the first line is there", func() bool { return strings.Contains(host.String(), "before") })
	for _, f := range []*os.File{log, stdout} {
		if err := f.Truncate(relayLongest + 1<<30); err != nil {
			t.Skip(err)
		}
	}
	wait.Until(t, "the files are cut", func() bool {
		l, err := log.Stat()
		s, serr := stdout.Stat()
		return err == nil && serr == nil && l.Size() == 0 && s.Size() <= stdoutKept
	})
	if _, err := log.WriteString("\nafter\n"); err != nil {
		t.Fatal(err)
	}
	r.close()
	if got := host.String(); !strings.Contains(got, "after\n") || len(got) > 2*budgetBurst {
		t.Errorf("got %d bytes, want the last line in them and no more than a burst", len(got))
	}
}

// Nothing that an executor prints looks like a line of the host, or reaches the terminal
// of who reads it.
func TestRelayEncodes(t *testing.T) {
	for name, tt := range map[string]struct{ line, want string }{
		"plain":       {`listening on "x"`, "[INFO]  listening on \"x\"\n"},
		"escape":      {"\x1b[2J\x1b]0;owned\a", `[INFO]  \x1b[2J\x1b]0;owned\a` + "\n"},
		"carriage":    {"good\rbad", `[INFO]  good\rbad` + "\n"},
		"not UTF-8":   {"\xff\xfe", `[INFO]  \xff\xfe` + "\n"},
		"newline":     {`{"@message":"a\n2026-01-01T00:00:00.000Z [ERROR] forged","@level":"warn"}`, `[WARN]  a\n2026-01-01T00:00:00.000Z [ERROR] forged` + "\n"},
		"key":         {`{"@message":"m","k\u001b[2J":"v"}`, `[INFO]  m: k\x1b[2J=v` + "\n"},
		"value":       {`{"@message":"m","k":"v\u001b[2J"}`, `[INFO]  m: k="v\x1b[2J"` + "\n"},
		"lines":       {`{"@message":"m","k":"v\nw"}`, "[INFO]  m:\n  k=\n  | v\n  | w\n  \n"},
		"nested":      {`{"@message":"m","k":[["\u001b[2J\n"]]}`, `[INFO]  m: k="[[\"\u001b[2J\n\"]]"` + "\n"},
		"no message":  {`{"@message":1}`, `[INFO]  {"@message":1}` + "\n"},
		"silent":      {`{"@message":"m","@level":"off"}`, "[INFO]  m\n"},
		"of yamux":    {"2026/01/01 00:00:00 [ERR] yamux: keepalive failed: i/o deadline reached", ""},
		"a long line": {strings.Repeat("y", maxText+1), "[INFO]  " + strings.Repeat("y", maxText) + "…\n"},
	} {
		t.Run(name, func(t *testing.T) {
			host := &hostLog{}
			relayEntry([]byte(tt.line), hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: host, DisableTime: true}))
			if got := host.String(); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	now := time.Now()
	b := budget{left: budgetBurst, filled: now}
	sent := 0
	for b.spend(900, now) {
		sent += 1000
	}
	if sent > budgetBurst || sent < budgetBurst-1000 || b.dropped != 900 {
		t.Errorf("got %d bytes at once, %d dropped; want a burst and one line", sent, b.dropped)
	}
	if !b.spend(900, now.Add(time.Second)) {
		t.Error("nothing was earned in a second")
	}
	if b.spend(2*budgetBurst, now.Add(time.Hour)) {
		t.Error("more than a burst was taken after an hour")
	}
}

// An executor whose stdout is endless is refused, and costs no memory.
func TestEndlessStdout(t *testing.T) {
	for _, mode := range []string{"endless-stdout", "huge-stdout"} {
		t.Run(mode, func(t *testing.T) {
			dir := runDir(t)
			config := testConfig(t, dir, mode)
			b := started(config)
			defer b.Stop(t.Context())
			b.waitError(t, "does not speak go-plugin's handshake")
		})
	}
}
