package storm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// backend is one of the site's backends, with a containerd of its own.
type backend struct {
	name, daemon, ctr string
	runtimes          []string
	// forgets says that the daemon deletes the exits of containers that end while
	// it is down.
	forgets bool
}

// site is a host with all that belongs to it in one directory.
type site struct {
	dir, bin, rootfs string
	backends         []backend
	client           *client
	report           *report

	mu       sync.Mutex
	host     *exec.Cmd
	expected bool // that the host ends: we killed it
	starts   int
	stopping bool
	ended    chan struct{} // closed when the host has stopped for good
}

// newSite builds the binaries and starts the host.
func newSite(ctx context.Context, module string, backends []backend, r *report) (*site, error) {
	dir, err := os.MkdirTemp("", "dvs") // short enough for sockets
	if err != nil {
		return nil, err
	}
	s := &site{dir: dir, bin: filepath.Join(dir, "bin"), rootfs: filepath.Join(dir, "rootfs"), backends: backends, report: r, ended: make(chan struct{})}
	s.client = newClient(filepath.Join(s.bin, "davit"), filepath.Join(dir, "run/davit.sock"))
	if err := s.build(ctx, module); err != nil {
		return s, err
	}
	if err := s.writeConfig(); err != nil {
		return s, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return s, err
	}
	if err := s.startHost(log); err != nil {
		return s, err
	}
	go s.keepHost(log)
	return s, s.waitReady(ctx)
}

// build makes the binaries and a root file system that holds only the workload.
func (s *site) build(ctx context.Context, module string) error {
	for out, packages := range map[string][]string{
		s.bin:                          {"./host/cmd/davit", "./executors/containerd/cmd/davit-executor-containerd"},
		filepath.Join(s.rootfs, "bin"): {"./host/storm/cmd/storm-workload"},
	} {
		cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", out + "/"}, packages...)...)
		cmd.Dir = module
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", strings.Join(packages, " "), err, text)
		}
	}
	for _, dir := range []string{"dev", "etc", "proc", "storm", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(s.rootfs, dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) writeConfig() error {
	var text strings.Builder
	fmt.Fprintf(&text, "state_dir = \"state\"\nrun_dir = \"run\"\nexecutor_dirs = [%q]\nlog {\n  level = \"debug\"\n}\n", s.bin)
	for _, b := range s.backends {
		fmt.Fprintf(&text, "backend %q {\n  executor = \"containerd\"\n  config {\n    containerd = %q\n  }\n}\n", b.name, b.daemon)
	}
	return os.WriteFile(s.config(), []byte(text.String()), 0o600)
}

func (s *site) config() string                 { return filepath.Join(s.dir, "davit.hcl") }
func (s *site) backendDir(b backend) string    { return filepath.Join(s.dir, "run/backends", b.name) }
func (s *site) containerdDir(b backend) string { return filepath.Join(s.backendDir(b), "x/containerd") }
func (s *site) containerdSock(b backend) string {
	return filepath.Join(s.backendDir(b), "x/containerd.sock")
}

func (s *site) startHost(log *os.File) error {
	cmd := exec.Command(filepath.Join(s.bin, "davit"), "serve", "--config", s.config())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	s.host, s.expected = cmd, false
	s.starts++
	return nil
}

// keepHost starts the host again whenever it ends, as a service manager does.
func (s *site) keepHost(log *os.File) {
	defer close(s.ended)
	defer log.Close()
	for {
		s.mu.Lock()
		cmd := s.host
		s.mu.Unlock()
		err := cmd.Wait()
		s.mu.Lock()
		expected, stopping := s.expected, s.stopping
		s.mu.Unlock()
		if !expected && (!stopping || err != nil) {
			s.report.violation("the host ended by itself: %v", err)
		}
		if stopping {
			return
		}
		if err := s.startHost(log); err != nil {
			s.report.violation("the host cannot be started: %v", err)
			return
		}
	}
}

// killHost kills the host as a crash would.
func (s *site) killHost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || s.expected {
		return false
	}
	s.expected = true
	return s.host.Process.Kill() == nil
}

// stop stops the host in good order.
func (s *site) stop() error {
	s.mu.Lock()
	s.stopping = true
	err := s.host.Process.Signal(syscall.SIGTERM)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(time.Minute):
		return errors.New("the host does not stop")
	}
}

// waitReady waits until all backends are ready.
func (s *site) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		var all []struct{ Name, State string }
		err := s.client.call(ctx, "GET", "/backends", nil, &all)
		ready := 0
		for _, b := range all {
			if b.State == "ready" {
				ready++
			}
		}
		if err == nil && ready == len(s.backends) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the backends do not get ready: %v %w", all, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// isExecutor, isContainerd and isShim tell the site's own processes from others'.
func (s *site) isExecutor(b backend) func(process) bool {
	return func(p process) bool {
		return p.args[0] == filepath.Join(s.bin, "davit-executor-containerd") && p.cwd == s.backendDir(b)
	}
}

func (s *site) isContainerd(b backend) func(process) bool {
	config := filepath.Join(s.backendDir(b), "x/containerd.toml")
	return func(p process) bool {
		return len(p.args) >= 3 && p.args[0] == b.daemon && p.args[1] == "--config" && p.args[2] == config
	}
}

func (s *site) isShim(id string) func(process) bool {
	return func(p process) bool {
		line := strings.Join(p.args, " ")
		return strings.HasPrefix(filepath.Base(p.args[0]), "containerd-shim") && strings.Contains(line, s.dir) && strings.Contains(line, id)
	}
}
