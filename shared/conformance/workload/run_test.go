package workload

import (
	"bytes"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	tests := map[string]struct {
		program string
		signals []int // sent once the program has printed
		code    int
		signal  int
		stdout  string
	}{
		"runs to its end":  {program: "print stdout a ; print stderr b ; print stdout c", stdout: "a\nc\n"},
		"exits":            {program: "exit 255 ; print stdout no", code: 255},
		"dies":             {program: "die 9", code: 137, signal: int(syscall.SIGKILL)},
		"counts":           {program: "count stdout 3", stdout: "1\n2\n3\n"},
		"marks and awaits": {program: "mark " + file + " x ; await " + file},
		"is killed":        {program: "print stdout up ; sleep 1h", stdout: "up\n", signals: []int{int(syscall.SIGTERM)}, code: 143, signal: int(syscall.SIGTERM)},
		"traps":            {program: "trap 15 7 ; print stdout up ; await /no/such/file", stdout: "up\n", signals: []int{int(syscall.SIGTERM)}, code: 7},
		"ignores":          {program: "ignore 15 ; print stdout up ; sleep 1h", stdout: "up\n", signals: []int{int(syscall.SIGTERM), int(syscall.SIGINT)}, code: 130, signal: int(syscall.SIGINT)},
		"cannot trap kill": {program: "trap 9 7 ; print stdout up ; sleep 1h", stdout: "up\n", signals: []int{int(syscall.SIGKILL)}, code: 137, signal: int(syscall.SIGKILL)},
		"waits in a pause": {program: "trap 15 7 ; print stdout up ; await /no/such/file", stdout: "up\n", signals: []int{Pause, int(syscall.SIGHUP), int(syscall.SIGTERM), Resume}, code: 129, signal: int(syscall.SIGHUP)},
		"killed in pause":  {program: "print stdout up ; sleep 1h", stdout: "up\n", signals: []int{Pause, int(syscall.SIGHUP), int(syscall.SIGKILL)}, code: 137, signal: int(syscall.SIGKILL)},
		"goes on":          {program: "print stdout up ; sleep 10ms ; exit 3", stdout: "up\n", signals: []int{Pause, Pause, Resume}, code: 3},
		"fails":            {program: "mark /no/such/file x", code: 125},
		"by default":       {program: "print stdout up ; sleep 1h", stdout: "up\n", signals: []int{int(syscall.SIGCHLD), int(syscall.SIGHUP)}, code: 129, signal: int(syscall.SIGHUP)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := Parse(strings.Fields(tt.program))
			if err != nil {
				t.Fatal(err)
			}
			signals := make(chan int)
			out := &output{first: make(chan struct{})}
			go func() {
				if len(tt.signals) > 0 {
					<-out.first
				}
				for _, sig := range tt.signals {
					signals <- sig
				}
			}()
			m := Machine{Stdout: out, Stderr: &bytes.Buffer{}, Events: signals}
			ended := make(chan End, 1)
			go func() { ended <- p.Run(m) }()
			select {
			case end := <-ended:
				if end.Code != tt.code || end.Signal != tt.signal || out.String() != tt.stdout {
					t.Errorf("got code %d, signal %d, stdout %q; want %d, %d, %q", end.Code, end.Signal, out.String(), tt.code, tt.signal, tt.stdout)
				}
			case <-time.After(time.Minute):
				t.Fatal("did not end")
			}
		})
	}
}

// output is a buffer that signals its first write.
type output struct {
	b     bytes.Buffer
	once  sync.Once
	first chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	defer o.once.Do(func() { close(o.first) })
	return o.b.Write(p)
}

func (o *output) String() string { return o.b.String() }

// TestSignalsAtTheBeginning sends a signal before the program begins to run.
func TestSignalsAtTheBeginning(t *testing.T) {
	for program, want := range map[string]int{
		"trap 15 7 ; exit 0":                  7,
		"ignore 15 ; exit 3":                  3,
		"ignore 1 ; trap 15 7 ; sleep 1h":     7,
		"print stdout x ; trap 15 7 ; exit 0": 143,
	} {
		p, err := Parse(strings.Fields(program))
		if err != nil {
			t.Fatal(err)
		}
		events := make(chan int, 1)
		events <- int(syscall.SIGTERM)
		if end := p.Run(Machine{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}, Events: events}); end.Code != want {
			t.Errorf("%s: got %+v, want code %d", program, end, want)
		}
	}
}
