package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/gobuild"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// bin holds the binaries under test, and rootfs a busybox. Tests share both: one whose
// containers write has an [ownRootfs].
var bin, rootfs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin, rootfs = filepath.Join(dir, "bin"), filepath.Join(dir, "rootfs")
	code := 1
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// prepare makes the binaries, an example in a module of its own among them, and
// makes the root file system.
func prepare() error {
	if err := errors.Join(
		gobuild.Make(bin, "./host/cmd/davit", "./host/cmd/davit-host", "./executors/containerd/cmd/davit-executor-containerd", "./executors/shim/cmd/davit-executor-shim",
			"./executors/process/cmd/davit-executor-process", "./executors/wasm/cmd/davit-executor-wasm", "./shared/conformance/memory/cmd/davit-executor-memory", "./examples/embed", "./examples/ci-runner"),
		gobuild.Build("../../../examples/executor-hello", bin, "."),
	); err != nil {
		return err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return nil // need says so
	}
	for _, dir := range []string{"bin", "dev", "etc", "proc", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(rootfs, dir), 0o755); err != nil {
			return err
		}
	}
	if err := exec.Command("cp", busybox, rootfs+"/bin/busybox").Run(); err != nil {
		return err
	}
	for applet := range strings.FieldsSeq("sh true false cat echo sleep id hostname env pwd ls seq md5sum kill dd touch wc yes head stty") {
		if err := os.Symlink("busybox", filepath.Join(rootfs, "bin", applet)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(rootfs, "etc/passwd"), []byte("root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n"), 0o644)
}

// A containerd that a backend can run as its own.
var (
	debian = "/usr/bin/containerd"
	newest = deps("containerd-2.")
)

func deps(prefix string) string {
	found, _ := filepath.Glob("../../../.build/deps/" + prefix + "*/bin/containerd")
	if len(found) == 0 {
		return "../../../.build/deps/" + prefix + "*/bin/containerd"
	}
	path, _ := filepath.Abs(found[0])
	return path
}

// need skips a test where what it needs is missing.
func need(t testing.TB, programs ...string) {
	t.Helper()
	complain := t.Skipf
	if os.Getenv("DAVIT_REQUIRE_REAL") == "1" {
		complain = t.Fatalf
	}
	if os.Geteuid() != 0 {
		complain("needs root")
	}
	for _, p := range append(programs, "runc", "busybox") {
		if _, err := exec.LookPath(p); err != nil {
			complain("needs %s: run `make setup`", p)
		}
	}
}

// site is a host that runs, with a directory of its own.
type site struct {
	t      testing.TB
	dir    string
	config string
	serve  *exec.Cmd
	log    *os.File
	leak   *os.File // a descriptor that the host inherits, or nil
}

// containerdBackend is a backend block with a containerd of its own.
func containerdBackend(name, daemon, more string) string {
	return fmt.Sprintf("backend %q {\n  executor = \"containerd\"\n  config {\n    containerd = %q\n  }\n%s}\n", name, daemon, more)
}

// newSite starts a host with backend blocks and waits until they are ready. At
// the end of the test it is drained, and nothing of it may be left.
func newSite(t testing.TB, backends ...string) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "dv") // short enough for sockets
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: dir, config: filepath.Join(dir, "davit.hcl")}
	dirs := "executor_dirs = [" + strconv.Quote(bin) + "]\n"
	if strings.Contains(strings.Join(backends, ""), "executor_dirs") {
		dirs = ""
	}
	text := "state_dir = \"state\"\nrun_dir = \"run\"\n" + dirs + "log {\n  level = \"debug\"\n}\n" + strings.Join(backends, "\n")
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	s.start()
	for _, b := range s.backends() {
		s.waitBackend(b.Name)
	}
	return s
}

// start starts the host and waits until it answers.
func (s *site) start(flags ...string) {
	s.t.Helper()
	s.launch(flags...)
	s.waitFor("the host answers", func() bool { return s.run("ps").code == 0 })
}

// launch starts the host.
func (s *site) launch(flags ...string) {
	s.t.Helper()
	s.serve = exec.Command(filepath.Join(bin, "davit"), append([]string{"serve", "--config", s.config}, flags...)...)
	s.serve.Stdout, s.serve.Stderr = s.log, s.log
	s.serve.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if s.leak != nil {
		s.serve.ExtraFiles = []*os.File{s.leak}
	}
	if err := s.serve.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// kill kills the host as a crash would.
func (s *site) kill() {
	_ = s.serve.Process.Kill()
	_ = s.serve.Wait()
	s.serve = nil
}

// stop stops the host in good order.
func (s *site) stop() {
	_ = s.serve.Process.Signal(syscall.SIGTERM)
	if err := s.serve.Wait(); err != nil {
		s.t.Errorf("davit serve ended with %v", err)
	}
	s.serve = nil
}

func (s *site) close() {
	if s.serve == nil {
		s.start()
	}
	for _, c := range s.containers() {
		if r := s.run("rm", "-f", c.ID); r.code != 0 {
			s.t.Errorf("removing %s: %s", c.ID, r.stderr)
		}
	}
	s.stop()
	left := leftovers(s.dir)
	if files, _ := os.ReadDir(filepath.Join(rootfs, "tmp")); len(files) > 0 {
		left = append(left, fmt.Sprintf("in the root file system that all tests share: %v", files))
	}
	if len(left) > 0 {
		s.t.Errorf("left behind:\n  %s", strings.Join(left, "\n  "))
	}
	if s.t.Failed() {
		text, _ := os.ReadFile(s.log.Name())
		s.t.Logf("log of the host:\n%s", text[max(0, len(text)-20_000):])
	}
	s.log.Close()
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Error(err)
	}
}

// leftovers lists processes, mounts and cgroups that belong to a site.
func leftovers(dir string) []string {
	var left []string
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		line, _ := os.ReadFile(p)
		works, _ := os.Readlink(filepath.Dir(p) + "/cwd") // davit's own shims name nothing else
		if bytes.Contains(line, []byte(dir)) || strings.Contains(works, dir) {
			left = append(left, "process "+filepath.Base(filepath.Dir(p))+": "+string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			left = append(left, "mount "+line)
		}
	}
	ids, _ := os.ReadDir(filepath.Join(dir, "state/containers"))
	for _, id := range ids {
		left = append(left, "output of "+id.Name())
	}
	sockets, _ := os.ReadFile("/proc/net/unix")
	for line := range strings.Lines(string(sockets)) {
		if strings.Contains(line, dir) {
			left = append(left, "socket "+line)
		}
	}
	return left
}

type result struct {
	stdout, stderr string
	code           int
}

// command makes a davit command line for the site.
func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "davit"), args...)
	cmd.Env = append(os.Environ(), "DAVIT_HOST="+filepath.Join(s.dir, "run/davit.sock"))
	return cmd
}

// run runs davit to its end.
func (s *site) run(args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := s.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if ctx.Err() != nil {
		s.t.Errorf("davit %s did not end", strings.Join(args, " "))
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must runs davit and fails the test if it fails. It returns what davit printed,
// without the last newline.
func (s *site) must(args ...string) string {
	s.t.Helper()
	r := s.run(args...)
	if r.code != 0 {
		s.t.Fatalf("davit %s: code %d: %s", strings.Join(args, " "), r.code, r.stderr)
	}
	return strings.TrimSuffix(r.stdout, "\n")
}

// runRootfs is `davit run` with busybox.
func (s *site) runRootfs(args ...string) result {
	s.t.Helper()
	return s.run(append([]string{"run", "--rootfs", rootfs}, args...)...)
}

type container struct {
	ID, State, Runtime, Backend, Error string
	PID, Attempt                       int
	Exit                               *struct {
		Code           *int
		Signal         int
		OOM            *bool
		Source, Output string
	}
	OutputLost map[string]executor.Loss `json:"output_lost"`
	Output     map[string]api.OutputUsage
}

type backend struct {
	Name, State, Cgroup string
	PID, Starts         int
	LastError           string `json:"last_error"`
}

func (s *site) decode(v any, args ...string) {
	s.t.Helper()
	out := s.must(args...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		s.t.Fatalf("davit %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (s *site) containers() (all []container) {
	s.t.Helper()
	s.decode(&all, "ps", "-a", "--format", "json")
	return all
}

func (s *site) backends() (all []backend) {
	s.t.Helper()
	s.decode(&all, "backends", "--format", "json")
	return all
}

func (s *site) backend(name string) backend {
	s.t.Helper()
	for _, b := range s.backends() {
		if b.Name == name {
			return b
		}
	}
	s.t.Fatalf("no backend %s", name)
	return backend{}
}

func (s *site) inspect(id string) container {
	s.t.Helper()
	var all []container
	s.decode(&all, "inspect", id)
	return all[0]
}

func (s *site) waitBackend(name string) {
	s.t.Helper()
	s.waitFor("backend "+name+" is ready", func() bool { return s.backend(name).State == "ready" })
}

// touch makes a file.
func touch(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (s *site) waitFor(what string, ok func() bool) {
	s.t.Helper()
	wait.Until(s.t, what, ok)
}
