package memory

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

func TestArgsOf(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want executor.Code
	}{
		"one step":        {[]string{"exit", "3"}, ""},
		"many steps":      {[]string{"print", "stdout", "a", ";", "sleep", "10ms", ";", "sleep", "1", ";", "oom"}, ""},
		"no args":         {nil, executor.Invalid},
		"empty step":      {[]string{";", "exit", "0"}, executor.Invalid},
		"unknown command": {[]string{"/bin/sh", "-c", "true"}, executor.CommandNotFound},
		"missing":         {[]string{"exec", plain + "x"}, executor.CommandNotFound},
		"executable":      {[]string{"exec", os.Args[0]}, ""},
		"not executable":  {[]string{"exec", plain}, executor.CommandNotExecutable},
		"exec and more":   {[]string{"exec", os.Args[0], ";", "exit", "0"}, executor.Invalid},
		"too few":         {[]string{"exit"}, executor.Invalid},
		"too many":        {[]string{"oom", "now"}, executor.Invalid},
		"stream":          {[]string{"print", "stdin", "a"}, executor.Invalid},
		"code":            {[]string{"exit", "256"}, executor.Invalid},
		"signal":          {[]string{"die", "0"}, executor.Invalid},
		"trap":            {[]string{"trap", "15", "x"}, executor.Invalid},
		"duration":        {[]string{"sleep", "soon"}, executor.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec, err := json.Marshal(map[string]any{"process": map[string]any{"args": tt.args}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := argsOf(spec); executor.CodeOf(err) != tt.want {
				t.Errorf("got %v, want code %q", err, tt.want)
			}
		})
	}
	for _, spec := range []string{"", "{", "[]", "{}", `{"process":7}`} {
		if _, err := argsOf(json.RawMessage(spec)); !errors.Is(err, executor.Invalid) {
			t.Errorf("spec %q: got %v, want invalid", spec, err)
		}
	}
}

func TestInterpreter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	tests := map[string]struct {
		program string
		signals []executor.Signal // sent once the program has printed
		code    int
		signal  executor.Signal
		stdout  string
	}{
		"runs to its end":  {program: "print stdout a ; print stderr b ; print stdout c", stdout: "a\nc\n"},
		"exits":            {program: "exit 255 ; print stdout no", code: 255},
		"dies":             {program: "die 9", code: 137, signal: syscall.SIGKILL},
		"counts":           {program: "count stdout 3", stdout: "1\n2\n3\n"},
		"marks and awaits": {program: "mark " + file + " x ; await " + file},
		"is killed":        {program: "print stdout up ; sleep 1h", stdout: "up\n", signals: []executor.Signal{syscall.SIGTERM}, code: 143, signal: syscall.SIGTERM},
		"traps":            {program: "trap 15 7 ; print stdout up ; await /no/such/file", stdout: "up\n", signals: []executor.Signal{syscall.SIGTERM}, code: 7},
		"ignores":          {program: "ignore 15 ; print stdout up ; sleep 1h", stdout: "up\n", signals: []executor.Signal{syscall.SIGTERM, syscall.SIGINT}, code: 130, signal: syscall.SIGINT},
		"cannot trap kill": {program: "trap 9 7 ; print stdout up ; sleep 1h", stdout: "up\n", signals: []executor.Signal{syscall.SIGKILL}, code: 137, signal: syscall.SIGKILL},
		"by default":       {program: "print stdout up ; sleep 1h", stdout: "up\n", signals: []executor.Signal{syscall.SIGCHLD, syscall.SIGHUP}, code: 129, signal: syscall.SIGHUP},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := parse(strings.Fields(tt.program))
			if err != nil {
				t.Fatal(err)
			}
			signals := make(chan executor.Signal)
			out := &output{first: make(chan struct{})}
			go func() {
				if len(tt.signals) > 0 {
					<-out.first
				}
				for _, sig := range tt.signals {
					signals <- sig
				}
			}()
			in := interpreter{stdout: out, stderr: &bytes.Buffer{}, signals: signals}
			ended := make(chan executor.Exit, 1)
			go func() { ended <- in.run(p) }()
			select {
			case end := <-ended:
				if *end.Code != tt.code || end.Signal != tt.signal || out.String() != tt.stdout {
					t.Errorf("got code %d, signal %d, stdout %q; want %d, %d, %q", *end.Code, end.Signal, out.String(), tt.code, tt.signal, tt.stdout)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("did not end")
			}
		})
	}
}

// output is a buffer that tells of its first write.
type output struct {
	bytes.Buffer
	once  sync.Once
	first chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	defer o.once.Do(func() { close(o.first) })
	return o.Buffer.Write(p)
}
