package wasm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/wasm"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// patience bounds each wait for what must happen.
const patience = time.Minute

// site is a backend with a host that keeps the reports that it receives, and a root
// file system.
type site struct {
	t       testing.TB
	dir     string
	config  string
	backend executor.Backend
	exits   chan executor.Status
	outputs chan executor.Output
	spec    specs.Spec
}

func newSite(t testing.TB, config string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), config: config, exits: make(chan executor.Status, 10), outputs: make(chan executor.Output, 10)}
	for _, name := range []string{"state", "run", "root/bin", "data"} {
		if err := os.MkdirAll(s.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.spec = specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{Cwd: "/", Env: []string{"PATH=/bin"}},
		Root:    &specs.Root{Path: s.path("root")},
	}
	s.open()
	t.Cleanup(s.close)
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name string, content []byte) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), content, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *site) open() {
	s.t.Helper()
	env := executor.Environment{
		HostID: "host", Backend: "wasm", StateDir: s.path("state"), RunDir: s.path("run"),
		Settings: executor.Settings{Config: json.RawMessage(s.config)},
	}
	b, err := wasm.Open(context.Background(), env, s)
	if err != nil {
		s.t.Fatal(err)
	}
	s.backend = b
}

// close removes all containers and reports what is left.
func (s *site) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	wait.Holds(func() bool {
		list := s.list()
		for _, st := range list {
			_ = s.backend.Signal(ctx, st.Ref, 9)
			_ = s.backend.Delete(ctx, st.Ref)
		}
		return len(list) == 0
	})
	if err := s.backend.(executor.Closer).Close(ctx); err != nil {
		s.t.Error(err)
	}
	if left, _ := os.ReadDir(s.path("state/containers")); len(left) > 0 {
		s.t.Errorf("left behind: %v", left)
	}
}

func (s *site) list() []executor.Status {
	list, err := s.backend.List(context.Background())
	if err != nil {
		s.t.Error(err)
	}
	return list
}

// Exited implements executor.Host.
func (s *site) Exited(_ context.Context, st executor.Status) error {
	s.exits <- st
	return nil
}

// Released implements executor.Host.
func (s *site) Released(_ context.Context, _ executor.Ref, out executor.Output) error {
	s.outputs <- out
	return nil
}

// workload returns a workload with the files out and err.
func (s *site) workload(id string, args ...string) executor.Workload {
	s.t.Helper()
	spec := s.spec
	process := *spec.Process
	process.Args = args
	spec.Process = &process
	raw, err := json.Marshal(spec)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("out", nil)
	s.write("err", nil)
	return executor.Workload{Ref: executor.Ref{ID: id, Attempt: 1}, Spec: raw, Stdio: executor.Stdio{
		Stdout: executor.Stream{Kind: executor.StreamFile, Path: s.path("out")},
		Stderr: executor.Stream{Kind: executor.StreamFile, Path: s.path("err")},
	}}
}

// start starts a workload.
func (s *site) start(args ...string) executor.Status {
	s.t.Helper()
	st, err := s.backend.Create(context.Background(), s.workload("c", args...))
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

// wait returns the next exit that is reported to the host, once the output is
// complete.
func (s *site) wait() executor.Exit {
	s.t.Helper()
	timeout := time.After(patience)
	var exit executor.Exit
	select {
	case st := <-s.exits:
		exit = *st.Exit
	case <-timeout:
		s.t.Fatal("the workload does not end")
	}
	select {
	case out := <-s.outputs:
		if out != executor.Complete {
			s.t.Errorf("the output is %s", out)
		}
	case <-timeout:
		s.t.Fatal("the workload is not released")
	}
	return exit
}

// run runs a workload to its end, removes it, and returns its exit and output.
func (s *site) run(args ...string) (exit executor.Exit, stdout, stderr string) {
	s.t.Helper()
	st := s.start(args...)
	exit = s.wait()
	if err := s.backend.Delete(context.Background(), st.Ref); err != nil {
		s.t.Error(err)
	}
	return exit, s.read("out"), s.read("err")
}

// describe returns an exit's code and signal, and how they are known.
func describe(e executor.Exit) string {
	if e.Code == nil {
		return string(e.Source)
	}
	return fmt.Sprintf("%d %d %s", *e.Code, int(e.Signal), e.Source)
}
