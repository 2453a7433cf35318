package wasm_test

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// void returns a module whose _start, of type () -> (), has some code.
func void(code string) []byte {
	return []byte("\x00asm\x01\x00\x00\x00" + "\x01" + vector("\x01"+typeVoid) + "\x03" + vector("\x01\x00") +
		"\x07" + vector("\x01"+vector("_start")+"\x00\x00") + "\x0a" + vector("\x01"+vector("\x00"+code+"\x0b")))
}

var (
	nop  = void("")
	spin = void("\x03\x40\x0c\x00\x0b") // loop, again
)

// TestGoModule runs a module that Go's own compiler has made.
func TestGoModule(t *testing.T) {
	if underRace {
		t.Skip("to compile the module takes a minute under the race detector")
	}
	s := newSite(t, `{}`)
	module, err := os.ReadFile(workloadModule(t))
	if err != nil {
		t.Fatal(err)
	}
	s.write("root/bin/workload", []byte("#!/bin/sh\n")) // for other backends
	s.write("root/bin/workload.wasm", module)
	s.write("data/file", []byte("data\n"))
	s.spec.Process.Cwd = "/data"
	s.spec.Process.Env = append(s.spec.Process.Env, "A=b=c")
	s.spec.Mounts = []specs.Mount{{Destination: "/data", Type: "bind", Source: s.path("data"), Options: []string{"rbind", "ro"}}}

	t.Run("environment", func(t *testing.T) {
		exit, stdout, stderr := s.run("workload", "env", "cat", "file", "mark", "/made", "x", "print", "stderr", "e", "count", "stdout", "100000", "exit", "300")
		if got, want := describe(exit), "44 0 observed"; got != want || stderr != "e\n" {
			t.Errorf("got %s, stderr %q; want %s", got, stderr, want)
		}
		lines := strings.Split(stdout, "\n")
		head := slices.Sorted(slices.Values(lines[:min(3, len(lines))]))
		if want := []string{"A=b=c", "PATH=/bin", "PWD=/data"}; !slices.Equal(head, want) || len(lines) != 3+1+100_000+1 || lines[3] != "data" || lines[100_003] != "100000" {
			t.Errorf("got %d lines, first %q", len(lines), lines[:min(5, len(lines))])
		}
		if got := s.read("root/made"); got != "x\n" {
			t.Errorf("the file that it made has %q", got)
		}
	})
	t.Run("log", func(t *testing.T) {
		exit, stdout, stderr := s.run("workload", "print", "stdout", "one", "print", "stderr", "e", "damage", "stdout", "damage", "stderr", "print", "stdout", "two")
		if describe(exit) != "0 0 observed" || stdout != "one\ntwo\n" || stderr != "e\n" {
			t.Errorf("got %s, stdout %q, stderr %q", describe(exit), stdout, stderr)
		}
	})
	t.Run("escape", func(t *testing.T) {
		s.write("secret", []byte("secret"))
		exit, stdout, stderr := s.run("workload", "symlink", "../secret", "/link", "cat", "/link")
		if describe(exit) != "1 0 observed" || stdout != "" || !strings.Contains(stderr, "No such file") {
			t.Errorf("got %s, stdout %q, stderr %q", describe(exit), stdout, stderr)
		}
	})
	t.Run("memory", func(t *testing.T) {
		s.spec.Linux = &specs.Linux{Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(32 << 20))}}}
		exit, _, stderr := s.run("workload", "memory", "64")
		if describe(exit) != "2 0 observed" || !strings.Contains(stderr, "out of memory") {
			t.Errorf("got %s, stderr %q", describe(exit), stderr)
		}
	})
}

func TestSignal(t *testing.T) {
	s := newSite(t, `{}`)
	s.write("root/bin/spin.wasm", spin)
	for name, tt := range map[string]struct {
		signals []executor.Signal
		want    string
	}{
		"TERM":                {[]executor.Signal{syscall.SIGTERM}, "143 15 observed"},
		"KILL":                {[]executor.Signal{syscall.SIGKILL}, "137 9 observed"},
		"USR1":                {[]executor.Signal{syscall.SIGUSR1}, "138 10 observed"},
		"real-time":           {[]executor.Signal{40}, "168 40 observed"},
		"WINCH, then INT":     {[]executor.Signal{syscall.SIGWINCH, syscall.SIGINT}, "130 2 observed"},
		"STOP, CONT, QUIT":    {[]executor.Signal{syscall.SIGSTOP, syscall.SIGCONT, syscall.SIGQUIT}, "131 3 observed"},
		"KILL while it stops": {[]executor.Signal{syscall.SIGTSTP, syscall.SIGKILL}, "137 9 observed"},
	} {
		t.Run(name, func(t *testing.T) {
			st := s.start("spin")
			for _, sig := range tt.signals {
				if err := s.backend.Signal(t.Context(), st.Ref, sig); err != nil {
					t.Fatal(err)
				}
			}
			if got := describe(s.wait()); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if err := s.backend.Delete(t.Context(), st.Ref); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestKilledFromOutside kills the module's process behind the executor's back.
func TestKilledFromOutside(t *testing.T) {
	s := newSite(t, `{}`)
	s.write("root/bin/spin.wasm", spin)
	for sig, want := range map[syscall.Signal]string{syscall.SIGKILL: "137 9 observed", syscall.SIGTERM: "143 15 observed"} {
		st := s.start("spin")
		if err := syscall.Kill(st.PID, sig); err != nil {
			t.Fatal(err)
		}
		if got := describe(s.wait()); got != want {
			t.Errorf("%s: got %s, want %s", sig, got, want)
		}
		if err := s.backend.Delete(t.Context(), st.Ref); err != nil {
			t.Error(err)
		}
	}
}

func TestTimeout(t *testing.T) {
	s := newSite(t, `{"timeout":"100ms"}`)
	s.write("root/bin/spin.wasm", spin)
	exit, _, stderr := s.run("spin")
	if describe(exit) != "137 0 observed" || !strings.Contains(stderr, "timeout of 100ms") {
		t.Errorf("got %s, stderr %q", describe(exit), stderr)
	}
}

func TestModuleDirs(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/tool.wasm", nop, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, `{"module_dirs":["`+dir+`"]}`)
	for _, command := range []string{"tool", dir + "/tool.wasm"} {
		if exit, _, _ := s.run(command); describe(exit) != "0 0 observed" {
			t.Errorf("%s: got %s", command, describe(exit))
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	s := newSite(t, `{}`)
	importing, err := assemble(s.path("root/bin"), conformance.Program{{Action: conformance.Exit}}, "/")
	if err != nil {
		t.Fatal(err)
	}
	s.write("root/bin/unknown.wasm", []byte(strings.Replace(s.read("root/bin"+importing), "fd_write", "fd_smell", 1)))
	s.write("root/bin/nop.wasm", nop)
	s.write("root/bin/truncated.wasm", nop[:20])
	s.write("root/bin/garbage.wasm", append(slices.Clone(nop[:8]), 0xff, 0xff, 0xff))
	s.write("root/bin/script", []byte("#!/bin/sh\n"))
	if err := os.Symlink("/etc/passwd", s.path("root/bin/passwd")); err != nil {
		t.Fatal(err)
	}
	clean := s.spec
	tests := map[string]struct {
		command string
		change  func(*specs.Spec)
		code    executor.Code
		want    string
	}{
		"unknown import": {"unknown", nil, executor.CommandNotExecutable, "wasi_snapshot_preview1.fd_smell"},
		"truncated":      {"truncated", nil, executor.CommandNotExecutable, "/bin/truncated.wasm cannot be run"},
		"garbage":        {"garbage", nil, executor.CommandNotExecutable, "/bin/garbage.wasm cannot be run"},
		"script":         {"script", nil, executor.CommandNotExecutable, "not a WebAssembly module"},
		"missing":        {"missing", nil, executor.CommandNotFound, `"missing"`},
		"outside":        {"passwd", nil, executor.CommandNotFound, `"passwd"`},
		"zero byte":      {"a\x00b", nil, executor.Invalid, "zero byte"},
		"hostname":       {"nop", func(s *specs.Spec) { s.Hostname = "h" }, executor.Unsupported, "hostname"},
		"terminal":       {"nop", func(s *specs.Spec) { s.Process.Terminal = true }, executor.Unsupported, "process.terminal"},
		"CPU limit": {"nop", func(s *specs.Spec) {
			s.Linux = &specs.Linux{Resources: &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: new(int64(1000))}}}
		}, executor.Unsupported, "linux.resources.cpu"},
		"network": {"nop", func(s *specs.Spec) {
			s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: "/run/davit/netns/a"}}}
		}, executor.Unsupported, "a WebAssembly module can open no sockets, and so has no network; leave --network and --publish out, choose a backend whose executor is containerd, shim or process"},
		"user":  {"nop", func(s *specs.Spec) { s.Process.User.UID = 12345 }, executor.Unsupported, "process.user"},
		"tmpfs": {"nop", func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: "/tmp", Type: "tmpfs"}} }, executor.Unsupported, "mounts[/tmp]"},
		"mount option": {"nop", func(s *specs.Spec) {
			s.Mounts = []specs.Mount{{Destination: "/tmp", Type: "bind", Source: "/tmp", Options: []string{"idmap"}}}
		}, executor.Unsupported, `"idmap"`},
		"missing source": {"nop", func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: "/tmp", Type: "bind", Source: "/none"}} }, executor.Invalid, "/none"},
		"small stack":    {"nop", func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_STACK", Soft: 1 << 20}} }, executor.Unsupported, "RLIMIT_STACK"},
		"other limit":    {"nop", func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CPU"}} }, executor.Unsupported, "RLIMIT_CPU"},
		"no root":        {"nop", func(s *specs.Spec) { s.Root = nil }, executor.Invalid, "root.path"},
		"missing root":   {"nop", func(s *specs.Spec) { s.Root = &specs.Root{Path: "/none"} }, executor.Invalid, "/none"},
		"working dir":    {"nop", func(s *specs.Spec) { s.Process.Cwd = "/none" }, executor.Invalid, `"/none"`},
		"hooks":          {"nop", func(s *specs.Spec) { s.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/x"}}} }, executor.Unsupported, "hooks"},
		"named namespace": {"nop", func(s *specs.Spec) {
			s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: "network", Path: "/x"}}}
		}, executor.Unsupported, "linux.namespaces"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s.spec = clean
			process := *clean.Process
			s.spec.Process = &process
			if tt.change != nil {
				tt.change(&s.spec)
			}
			_, err := s.backend.Create(t.Context(), s.workload("c", tt.command))
			if executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %s: %v; want %s with %q", executor.CodeOf(err), err, tt.code, tt.want)
			}
			if left, _ := os.ReadDir(s.path("state/containers")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestUsual runs a spec with what every container's spec asks for.
func TestUsual(t *testing.T) {
	s := newSite(t, `{}`)
	s.write("root/bin/nop.wasm", nop)
	caps := []string{"CAP_CHOWN"}
	s.spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps}
	s.spec.Process.NoNewPrivileges = true
	s.spec.Process.Rlimits = []specs.POSIXRlimit{
		{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024},
		// The host's defaults, which every module keeps.
		{Type: "RLIMIT_CORE"}, {Type: "RLIMIT_NPROC", Soft: 1, Hard: 1}, {Type: "RLIMIT_STACK", Soft: 8 << 20, Hard: 8 << 20},
	}
	s.spec.Process.User.AdditionalGids = []uint32{0, 6}
	s.spec.Process.OOMScoreAdj = new(0)
	s.spec.Mounts = []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"}, {Destination: "/dev", Type: "tmpfs", Source: "tmpfs"},
		{Destination: "/etc/hosts", Type: "bind", Source: "/var/lib/davit/containers/c/etc/hosts", Options: []string{"rbind"}},
	}
	s.spec.Linux = &specs.Linux{
		Sysctl:        map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"},
		Seccomp:       &specs.LinuxSeccomp{DefaultAction: specs.ActErrno},
		Namespaces:    []specs.LinuxNamespace{{Type: specs.PIDNamespace}},
		MaskedPaths:   []string{"/proc/kcore"},
		ReadonlyPaths: []string{"/proc/sys"},
		Resources:     &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}, Pids: &specs.LinuxPids{Limit: new(int64(5))}},
	}
	if exit, _, _ := s.run("nop"); describe(exit) != "0 0 observed" {
		t.Errorf("got %s", describe(exit))
	}
}
