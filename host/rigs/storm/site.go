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

// site is a host with all that belongs to it in one directory.
type site struct {
	dir, bin, rootfs string
	targets          []target
	client           *client
	report           *report
	// failpoints is the directory with which the processes learn where to fail, ""
	// if they are built without that.
	failpoints string
	// mortal means that the host may end by itself: it is made to panic, or finds its
	// store locked.
	mortal bool
	// net is the network that its processes have, nil for the machine's.
	net *ownNetwork
	// gate is held to keep the host from being started again.
	gate sync.Mutex

	mu       sync.Mutex
	host     *exec.Cmd
	gone     chan struct{} // closed when host has ended
	expected bool          // that the host ends: we killed it
	starts   int
	stopping bool
	ended    chan struct{} // closed when the host has stopped for good
}

// newSite starts a host with the programs in bin. It returns a site with an error too,
// which is to be stopped.
func newSite(ctx context.Context, bin string, targets []target, of row, r *report) (*site, error) {
	dir, err := os.MkdirTemp("", "dvs") // short enough for sockets
	if err != nil {
		return nil, err
	}
	s := &site{dir: dir, bin: bin, rootfs: filepath.Join(dir, "rootfs"), targets: targets, report: r, ended: make(chan struct{})}
	s.client = newClient(filepath.Join(s.bin, "davit"), filepath.Join(dir, "run/davit.sock"))
	if of.network {
		if s.net, err = newNetwork(); err != nil {
			return s, err
		}
	}
	if of.failpoints {
		s.failpoints = filepath.Join(dir, "failpoints")
		if err := os.Mkdir(s.failpoints, 0o700); err != nil {
			return s, err
		}
	}
	if err := makeRootfs(s.rootfs, bin); err != nil {
		return s, err
	}
	for i := range s.targets {
		if s.targets[i], err = s.linkDaemon(s.targets[i]); err != nil {
			return s, err
		}
	}
	if err := s.writeConfig(); err != nil {
		return s, err
	}
	log, err := os.Create(s.log())
	if err != nil {
		return s, err
	}
	if err := s.startHost(log); err != nil {
		return s, err
	}
	go s.keepHost(log)
	return s, s.waitReady(ctx)
}

func (s *site) writeConfig() error {
	var text strings.Builder
	fmt.Fprintf(&text, "state_dir = \"state\"\nrun_dir = \"run\"\nexecutor_dirs = [%q]\nlog {\n  level = \"debug\"\n}\n", s.bin)
	for _, t := range s.targets {
		text.WriteString(strings.ReplaceAll(t.block(), "{dir}", s.dir))
	}
	return os.WriteFile(s.config(), []byte(text.String()), 0o600)
}

func (s *site) log() string                { return filepath.Join(s.dir, "log") }
func (s *site) config() string             { return filepath.Join(s.dir, "davit.hcl") }
func (s *site) backendDir(t target) string { return filepath.Join(s.dir, "run/backends", t.name) }
func (s *site) containerdSock(t target) string {
	return filepath.Join(s.backendDir(t), "x/containerd.sock")
}

func (s *site) startHost(log *os.File) error {
	cmd := exec.Command(filepath.Join(s.bin, "davit"), "serve", "--config", s.config())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "DAVIT_FAILPOINTS="+s.failpoints)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.net.within(cmd.Start); err != nil {
		return err
	}
	s.host, s.gone, s.expected = cmd, make(chan struct{}), false
	s.starts++
	return nil
}

// keepHost starts the host again whenever it ends, as a service manager does.
func (s *site) keepHost(log *os.File) {
	defer close(s.ended)
	defer log.Close()
	for {
		s.mu.Lock()
		cmd, gone := s.host, s.gone
		s.mu.Unlock()
		err := cmd.Wait()
		close(gone)
		s.mu.Lock()
		expected, stopping := s.expected, s.stopping
		s.mu.Unlock()
		if !expected && (!stopping || err != nil) && !s.mortal {
			s.report.bad(others, "the host ended by itself: %v", err)
		}
		if stopping {
			return
		}
		s.gate.Lock()
		err = s.startHost(log)
		s.gate.Unlock()
		if err != nil {
			s.report.bad(others, "the host cannot be started: %v", err)
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

// downHost kills the host and keeps it from being started again until up is
// called.
func (s *site) downHost() (up func()) {
	s.gate.Lock()
	s.killHost()
	s.mu.Lock()
	gone := s.gone
	s.mu.Unlock()
	<-gone
	return s.gate.Unlock
}

// stop stops the host in good order.
func (s *site) stop() error {
	s.mu.Lock()
	s.stopping = true
	host := s.host
	s.mu.Unlock()
	if host == nil {
		return nil
	}
	if err := host.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(time.Minute):
		return errors.New("the host does not stop")
	}
}

// backendView is what is looked at of a backend.
type backendView struct {
	Name, State string
	PID         int
	Starts      int
	Attaches    int
}

// waitReady waits until all backends are ready.
func (s *site) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		var all []backendView
		err := s.client.call(ctx, "GET", "/backends", nil, &all)
		ready := 0
		for _, b := range all {
			if b.State == "ready" {
				ready++
			}
		}
		if err == nil && ready == len(s.targets) {
			return nil
		}
		if !pause(ctx, 10*time.Millisecond) {
			return fmt.Errorf("the backends do not get ready: %v %w", all, err)
		}
	}
}

// waitAnswer waits until the host answers.
func (s *site) waitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := s.client.call(ctx, "GET", "/version", nil, nil)
		if err == nil || !pause(ctx, 5*time.Millisecond) {
			return err
		}
	}
}

// isExecutor, isContainerd and isShim recognize processes of the site. isShim includes monitors.
func (s *site) isExecutor(t target) func(process) bool {
	return func(p process) bool {
		return filepath.Base(p.args[0]) == "davit-executor-"+t.executor && p.cwd == s.backendDir(t)
	}
}

func (s *site) isContainerd(t target) func(process) bool {
	config := filepath.Join(s.backendDir(t), "x/containerd.toml")
	return func(p process) bool {
		return len(p.args) >= 3 && p.args[0] == t.daemon && p.args[1] == "--config" && p.args[2] == config
	}
}

func (s *site) isShim(id string) func(process) bool {
	return func(p process) bool {
		name, where := filepath.Base(p.args[0]), strings.Join(p.args, " ")+" "+p.cwd
		return (strings.HasPrefix(name, "containerd-shim") || name == "davit-shim" || name == "davit-monitor") &&
			strings.Contains(where, s.dir) && strings.Contains(where, id)
	}
}
