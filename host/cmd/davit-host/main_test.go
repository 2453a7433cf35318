package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/davit-run/davit/host/internal/cli"
	"github.com/davit-run/davit/host/rigs/asexecutor"
	"github.com/davit-run/davit/host/rigs/wait"
)

// asDavit makes the test binary the program under test.
const asDavit = "DAVIT_TEST_MAIN"

// The test binary is davit, the executor that its hosts start, and the processes
// of that executor's workloads.
func TestMain(m *testing.M) {
	asexecutor.Serve(asexecutor.Memory)
	if os.Getenv(asDavit) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A site is a directory with a config, a rootfs and what a host makes there.
type site struct {
	t      *testing.T
	dir    string
	config string
	socket string
	rootfs string
}

// newSite makes a site with backends a, the default, and b.
func newSite(t *testing.T) *site {
	t.Helper()
	dir := asexecutor.Dir(t, "memory")
	s := &site{t: t, dir: dir, config: filepath.Join(dir, "davit.hcl"), socket: filepath.Join(dir, "run", "davit.sock"), rootfs: filepath.Join(dir, "rootfs")}
	if err := os.Mkdir(s.rootfs, 0o755); err != nil {
		t.Fatal(err)
	}
	s.write(`
state_dir       = "state"
run_dir         = "run"
executor_dirs   = ["bin"]
default_backend = "a"
backend "a" { executor = "memory" }
backend "b" { executor = "memory" }
`)
	return s
}

func (s *site) write(config string) {
	s.t.Helper()
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// served is a `davit serve` of a site.
type served struct {
	cmd *exec.Cmd
	log *syncBuffer
}

// serve starts a host as a process, waits until it answers, and ends it with all
// its containers when the test is over.
func (s *site) serve(args ...string) *served {
	s.t.Helper()
	h := &served{cmd: s.command(append([]string{"serve", "--config", s.config}, args...)...), log: &syncBuffer{}}
	h.cmd.Stderr = h.log
	if err := h.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("log of the host:\n%s", h.log)
		}
		if h.cmd.ProcessState == nil {
			s.run(append([]string{"rm", "-f"}, strings.Fields(s.run("ps", "-aq").stdout)...)...)
			_ = h.cmd.Process.Signal(os.Interrupt)
			_ = h.cmd.Wait()
			s.nothingRuns()
		}
	})
	s.until(func() bool { return strings.Contains(h.log.String(), "host is ready") || h.cmd.ProcessState != nil })
	return h
}

// nothingRuns checks that no process of the site is left.
func (s *site) nothingRuns() {
	s.t.Helper()
	for _, p := range s.processes() {
		s.t.Errorf("process %s is left", p)
	}
}

// processes returns the processes that have to do with the site.
func (s *site) processes() (all []string) {
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		line, _ := os.ReadFile(p)
		if bytes.Contains(line, []byte(s.dir+"/")) {
			all = append(all, filepath.Base(filepath.Dir(p))+": "+string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return all
}

func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(asexecutor.Path(s.t), args...)
	cmd.Env = append(os.Environ(), asDavit+"=1", "DAVIT_HOST="+s.socket)
	cmd.Dir = s.dir
	return cmd
}

// until waits for something to become so.
func (s *site) until(is func() bool) {
	s.t.Helper()
	wait.Until(s.t, "it is so", is)
}

type result struct {
	code           int
	stdout, stderr string
}

// run runs a command in this process.
func (s *site) run(args ...string) result {
	var stdout, stderr bytes.Buffer
	a := cli.App{Stdout: &stdout, Stderr: &stderr, Build: cli.New("", "").Build, Env: func(name string) (string, bool) {
		if name == "DAVIT_HOST" {
			return s.socket, true
		}
		return "", false
	}}
	code := a.Main(context.Background(), args)
	return result{code, stdout.String(), stderr.String()}
}

// want runs a command and checks all that comes of it.
func (s *site) want(code int, stdout, stderr string, args ...string) {
	s.t.Helper()
	if got, want := s.run(args...), (result{code, stdout, stderr}); got != want {
		s.t.Errorf("davit %s\n got %+v\nwant %+v", strings.Join(args, " "), got, want)
	}
}

// program returns the arguments that run a program of the memory executor.
func (s *site) program(flags string, steps ...string) []string {
	args := append([]string{"run", "--rootfs", s.rootfs}, strings.Fields(flags)...)
	return append(args, strings.Fields(strings.Join(steps, " ; "))...)
}

// detach starts a container and returns its id.
func (s *site) detach(flags string, steps ...string) string {
	s.t.Helper()
	r := s.run(s.program("-d "+flags, steps...)...)
	if r.code != 0 {
		s.t.Fatalf("run -d: %+v", r)
	}
	return strings.TrimSpace(r.stdout)
}

// syncBuffer is a buffer that a process writes and a test reads.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
