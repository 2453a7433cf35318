package linux

import (
	"os"
	"testing"
	"time"
)

func TestStatOfNamesThatMislead(t *testing.T) {
	const rest = " S 7 42 43 0 -1 4194624 1 2 3 4 5 6 7 8 20 0 1 0 987 1000 100\n"
	for _, name := range []string{"sleep", "a b", ") Z 1", "((", "x\ny"} {
		s, err := parseStat([]byte("99 (" + name + ")" + rest))
		if want := (Stat{Name: name, State: 'S', Parent: 7, Forked: true, Session: 43, Start: 987, CPU: 260 * time.Millisecond, Threads: 1}); err != nil || s != want {
			t.Errorf("%q: got %+v, %v; want %+v", name, s, err, want)
		}
	}
	for _, text := range []string{"", "99", "99 (sleep)", "99 (sleep) S x"} {
		if s, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q: got %+v, want an error", text, s)
		}
	}
	if s, err := StatOf(os.Getpid()); err != nil || s.Parent != os.Getppid() || s.Start == 0 {
		t.Errorf("this process: got %+v, %v", s, err)
	}
}

func TestBootID(t *testing.T) {
	if id, err := BootID(); err != nil || len(id) != 36 {
		t.Errorf("got %q, %v", id, err)
	}
}
