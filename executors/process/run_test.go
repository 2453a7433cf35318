package process_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func TestProcess(t *testing.T) {
	f := newFixture(t, "{}")
	for _, tt := range []struct {
		name, script string
		edit         func(*specs.Process)
		want         string
		root         bool
	}{
		{name: "env", script: `env | sort; echo "$@"`, want: "A=b c\nHOME=/x\nPATH=/usr/bin:/bin\nPWD=/\n\n",
			edit: func(p *specs.Process) { p.Env = append(p.Env, "A=b c", "HOME=/x") }},
		{name: "home", script: `[ "$HOME" = "$(while IFS=: read n p u g c h s; do [ $u = $(id -u) ] && echo $h && break; done </etc/passwd)" ] && echo same`, want: "same\n"},
		{name: "home-unknown", script: `echo $HOME`, want: "/\n", root: true, edit: func(p *specs.Process) { p.User.UID = 12345 }},
		{name: "cwd", script: "pwd", want: "/usr\n", edit: func(p *specs.Process) { p.Cwd = "/usr" }},
		{name: "umask", script: "umask", want: "0022\n"},
		{name: "umask-set", script: "umask", want: "0077\n", edit: func(p *specs.Process) { p.User.Umask = new(uint32(0o077)) }},
		{name: "rlimit", script: "ulimit -Sn; ulimit -Hn", want: "77\n88\n",
			edit: func(p *specs.Process) { p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 88}} }},
		{name: "oom-score", script: "cat /proc/self/oom_score_adj", want: "500\n",
			edit: func(p *specs.Process) { p.OOMScoreAdj = new(500) }},
		{name: "privileges", script: "grep NoNewPrivs /proc/self/status", want: "NoNewPrivs:\t1\n",
			edit: func(p *specs.Process) { p.NoNewPrivileges = true }},
		{name: "session", script: `read pid comm state ppid pgrp sid rest </proc/self/stat; [ $sid = $$ ] && echo leader`, want: "leader\n"},
		{name: "signals", script: `grep -E 'Sig(Blk|Ign)' /proc/self/status`, want: "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"},
		{name: "descriptors", script: `exec ls /proc/self/fd`, want: "0\n1\n2\n3\n"}, // 3 is of ls
		{name: "stdin", script: `read x || echo end`, want: "end\n"},
		{name: "path", want: "found\n", edit: func(p *specs.Process) { p.Args = []string{"echo", "found"} }},
		{name: "relative", want: "found\n", edit: func(p *specs.Process) { p.Args, p.Cwd = []string{"./echo", "found"}, "/bin" }},
		{name: "user", script: "id -u; id -g; id -G", want: "12\n34\n34 56 78\n", root: true,
			edit: func(p *specs.Process) { p.User = specs.User{UID: 12, GID: 34, AdditionalGids: []uint32{56, 78}} }},
		{name: "user-rlimit", script: "id -u; ulimit -n", want: "12\n77\n", root: true, edit: func(p *specs.Process) {
			p.User = specs.User{UID: 12, GID: 34}
			p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 77}}
		}},
		{name: "groups", script: "id -G", want: "0\n", root: true},
		{name: "capabilities", script: "grep CapBnd /proc/self/status; grep CapEff /proc/self/status", root: true,
			want: "CapBnd:\t0000000000000021\nCapEff:\t0000000000000021\n",
			edit: func(p *specs.Process) {
				caps := []string{"CAP_CHOWN", "CAP_KILL"}
				p.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
			}},
		{name: "terminal", script: `[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && stty size </dev/tty`, want: "24 80\r\n",
			edit: func(p *specs.Process) { p.Terminal, p.ConsoleSize = true, &specs.Box{Height: 24, Width: 80} }},
		{name: "terminal-user", script: `id -u >/dev/tty`, want: "12\r\n", root: true,
			edit: func(p *specs.Process) { p.Terminal, p.User.UID = true, 12 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root {
				root(t)
			}
			f := *f
			f.t = t
			spec := command(tt.script)
			if tt.edit != nil {
				tt.edit(spec.Process)
			}
			ref := first(tt.name)
			st := f.run(ref, spec)
			if st.State != executor.Running || st.PID <= 0 || st.StartedAt.IsZero() {
				t.Errorf("status after create: got %+v", st)
			}
			exit, out := f.wait(ref)
			if got := f.streams.Output(ref, "out"); got != tt.want || *exit.Code != 0 || out != executor.Complete {
				t.Errorf("got %q, code %d, %s, stderr %q; want %q", got, *exit.Code, out, f.streams.Output(ref, "err"), tt.want)
			}
		})
	}
}

func TestExit(t *testing.T) {
	f := newFixture(t, "{}")
	ref := first("code")
	f.run(ref, command("echo out; echo err >&2; exit 7"))
	exit, _ := f.wait(ref)
	if *exit.Code != 7 || exit.Signal != 0 || exit.Source != executor.Observed || exit.At.IsZero() {
		t.Errorf("exit: got %+v", exit)
	}
	if out, err := f.streams.Output(ref, "out"), f.streams.Output(ref, "err"); out != "out\n" || err != "err\n" {
		t.Errorf("output: got %q and %q", out, err)
	}

	ref = first("signal")
	f.run(ref, command("kill -USR1 $$"))
	if exit, _ := f.wait(ref); *exit.Code != 128+int(syscall.SIGUSR1) || exit.Signal != syscall.SIGUSR1 {
		t.Errorf("death by signal: got %+v", exit)
	}
	// An exit code like that of a signal is not taken for one.
	ref = first("no-signal")
	f.run(ref, command("exit 137"))
	if exit, _ := f.wait(ref); *exit.Code != 137 || exit.Signal != 0 {
		t.Errorf("exit with code 137: got %+v", exit)
	}
}

// TestDescendants: what the first process leaves behind ends with it, even in other
// sessions.
func TestDescendants(t *testing.T) {
	f := newFixture(t, "{}")
	ref := first("parent")
	f.run(ref, command(`for i in 1 2 3; do setsid sh -c 'trap "" TERM HUP; (trap "" TERM HUP; sleep 300) & echo $$ $!; exec sleep 300' & done
		sleep 0.1; while [ "$(wc -l <`+f.streams.Path(ref, "out")+`)" -lt 3 ]; do sleep 0.01; done; exit 3`))
	exit, out := f.wait(ref)
	if *exit.Code != 3 || out != executor.Complete {
		t.Errorf("got %+v, %s", exit, out)
	}
	pids := strings.Fields(f.streams.Output(ref, "out"))
	if len(pids) != 6 {
		t.Errorf("got processes %q", pids)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %s has survived", pid)
		}
	}
}

// alive reports whether there is a process that is not a zombie.
func alive(pid any) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%v/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestOOM(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	ref := first("oom")
	spec := command("x=aaaaaaaa; while :; do x=$x$x; done")
	spec.Linux = &specs.Linux{Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(16 << 20))}}}
	f.run(ref, spec)
	if exit, _ := f.wait(ref); exit.Signal != syscall.SIGKILL || exit.OOM == nil || !*exit.OOM {
		t.Errorf("exit: got %+v", exit)
	}
	ref = first("plain")
	f.run(ref, command("exit 0"))
	if exit, _ := f.wait(ref); exit.OOM == nil || *exit.OOM {
		t.Errorf("exit of one with enough memory: got %+v", exit)
	}
}

func TestLimits(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	ref := first("limits")
	spec := command("cat /proc/self/cgroup; for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo all")
	spec.Linux = &specs.Linux{Resources: &specs.LinuxResources{
		Pids: &specs.LinuxPids{Limit: new(int64(5))},
		CPU:  &specs.LinuxCPU{Quota: new(int64(50_000)), Period: new(uint64(100_000)), Shares: new(uint64(512))},
	}}
	f.run(ref, spec)
	exit, _ := f.wait(ref)
	if out := f.streams.Output(ref, "out"); *exit.Code == 0 || strings.Contains(out, "all") || !strings.Contains(out, "/davit/") {
		t.Errorf("got %+v, %q", exit, out)
	}
}

// TestDefaultSpec runs the spec of `davit run --rootfs`, in the root that it names.
func TestDefaultSpec(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	rootfs := realtest.Rootfs(t)
	spec, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh", "-c", "echo hello; cd /; echo *"}, MemoryBytes: 64 << 20, CPUs: 1, PidsLimit: 50})
	if err != nil {
		t.Fatal(err)
	}
	ref := first("hello")
	w := f.workload(ref, command(""))
	w.Spec = spec
	if _, err := f.b.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	f.wait(ref)
	if got, want := f.streams.Output(ref, "out"), "hello\nbin dev etc proc sys tmp\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCommandsThatCannotBeExecuted: they fail as they do in a container.
func TestCommandsThatCannotBeExecuted(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	rootfs := realtest.Rootfs(t)
	for _, c := range realtest.Commands(t, rootfs) {
		spec := command("")
		spec.Process.Args = c.Args
		spec.Root = &specs.Root{Path: rootfs}
		spec.Process.Env = []string{"PATH=/bin"}
		_, err := f.b.Create(t.Context(), f.workload(first(c.Name), spec))
		if executor.CodeOf(err) != c.Code || !strings.Contains(err.Error(), c.Says) || strings.Contains(err.Error(), "make room") {
			t.Errorf("%s: got %s: %v; want %s with %q", c.Name, executor.CodeOf(err), err, c.Code, c.Says)
		}
	}
}

func TestFailedCreateLeavesNothing(t *testing.T) {
	f := newFixture(t, "{}")
	for _, tt := range []struct {
		name string
		edit func(*specs.Spec)
		code executor.Code
		says string
	}{
		{"command-missing", func(s *specs.Spec) { s.Process.Args = []string{"nope"} }, executor.CommandNotFound, `"nope" is not found in PATH (/usr/bin:/bin)`},
		{"path-missing", func(s *specs.Spec) { s.Process.Args = []string{"/bin/nope"} }, executor.CommandNotFound, "/bin/nope"},
		{"command-is-dir", func(s *specs.Spec) { s.Process.Args = []string{"/etc"} }, executor.CommandNotExecutable, "/etc: is a directory"},
		{"no-program", func(s *specs.Spec) { s.Process.Args = []string{f.path("garbage")} }, executor.CommandNotExecutable, "exec format error"},
		{"no-interpreter", func(s *specs.Spec) { s.Process.Args = []string{f.path("script")} }, executor.CommandNotFound, "no such file"},
		{"no-cwd", func(s *specs.Spec) { s.Process.Cwd = "/nope" }, executor.Invalid, `process.cwd "/nope"`},
		{"cwd-is-file", func(s *specs.Spec) { s.Process.Cwd = "/etc/passwd" }, executor.Invalid, "not a directory"},
		{"relative-cwd", func(s *specs.Spec) { s.Process.Cwd = "x" }, executor.Invalid, "not absolute"},
		{"no-args", func(s *specs.Spec) { s.Process.Args = nil }, executor.Invalid, "process.args"},
		{"no-version", func(s *specs.Spec) { s.Version = "" }, executor.Invalid, "ociVersion"},
		{"rlimit-unknown", func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_X"}} }, executor.Invalid, "RLIMIT_X"},
		{"rlimit-inverted", func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 2, Hard: 1}}
		}, executor.Invalid, "RLIMIT_CORE"},
		{"rlimit-refused", func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 1 << 60}}
		}, executor.FailedPrecondition, "cannot be set"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, text := range map[string]string{"garbage": "\x7fgarbage", "script": "#!/nope\n"} {
				if err := linux.WriteProgram(f.path(name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			spec := command("true")
			tt.edit(spec)
			_, err := f.b.Create(t.Context(), f.workload(first(tt.name), spec))
			if got := executor.CodeOf(err); got != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %s: %v; want %s with %q", got, err, tt.code, tt.says)
			}
		})
	}
	t.Run("no-output-file", func(t *testing.T) {
		w := f.workload(first("no-output"), command("true"))
		w.Stdio.Stdout.Path = f.path("nope", "out")
		if _, err := f.b.Create(t.Context(), w); err == nil || !strings.Contains(err.Error(), "stdout: open") {
			t.Errorf("got %v", err)
		}
	})
	list, err := f.b.List(t.Context())
	if err != nil || len(list) != 0 {
		t.Errorf("list: got %+v, %v", list, err)
	}
}

func TestRefused(t *testing.T) {
	mount := func(dest, kind string, options ...string) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Mounts = []specs.Mount{{Destination: dest, Type: kind, Source: "/tmp", Options: options}}
		}
	}
	bind := func(source, dest string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: dest, Type: "bind", Source: source}} }
	}
	linux := func(edit func(*specs.Linux)) func(*specs.Spec) {
		return func(s *specs.Spec) {
			if s.Linux == nil {
				s.Linux = &specs.Linux{Resources: &specs.LinuxResources{}}
			}
			edit(s.Linux)
		}
	}
	for _, tt := range []struct {
		name   string
		ignore string // what has to be ignored, "" if nothing
		edit   func(*specs.Spec)
	}{
		{"bind-mount", "mounts", mount("/data", "bind", "rbind")},
		{"tmpfs", "mounts", mount("/tmp", "tmpfs")},
		{"bind-over-proc", "mounts", mount("/proc", "bind", "rbind")},
		{"big-shm", "mounts", mount("/dev/shm", "tmpfs", "size=1g")},
		{"usual-shm", "", mount("/dev/shm", "tmpfs", "size=65536k")},
		{"usual-proc", "", mount("/proc", "proc")},
		{"namespaces", "", linux(func(l *specs.Linux) { l.Namespaces = []specs.LinuxNamespace{{Type: "pid"}, {Type: "network"}} })},
		{"namespace-of-other", "linux.namespaces", linux(func(l *specs.Linux) { l.Namespaces = []specs.LinuxNamespace{{Type: "ipc", Path: "/proc/1/ns/ipc"}} })},
		{"user-namespace", "linux.namespaces", linux(func(l *specs.Linux) { l.Namespaces = []specs.LinuxNamespace{{Type: "user"}} })},
		{"uid-mappings", "linux.uidMappings", linux(func(l *specs.Linux) { l.UIDMappings = []specs.LinuxIDMapping{{Size: 1}} })},
		{"masked-paths", "", linux(func(l *specs.Linux) { l.MaskedPaths = []string{"/proc/kcore"} })},
		{"masked-other-path", "linux.maskedPaths", linux(func(l *specs.Linux) { l.MaskedPaths = []string{"/etc/shadow"} })},
		{"readonly-paths", "", linux(func(l *specs.Linux) { l.ReadonlyPaths = []string{"/proc/sys"} })},
		{"devices", "linux.devices", linux(func(l *specs.Linux) { l.Devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c"}} })},
		{"no-devices", "", linux(func(l *specs.Linux) { l.Resources.Devices = []specs.LinuxDeviceCgroup{{Access: "rwm"}} })},
		{"one-device", "linux.resources.devices", linux(func(l *specs.Linux) {
			l.Resources.Devices = []specs.LinuxDeviceCgroup{{Type: "c", Major: new(int64(1)), Access: "rwm"}}
		})},
		{"seccomp", "", linux(func(l *specs.Linux) { l.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow} })},
		{"seccomp-notify", "linux.seccomp", linux(func(l *specs.Linux) { l.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActNotify} })},
		{"sysctl", "linux.sysctl", linux(func(l *specs.Linux) { l.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"} })},
		{"block-io", "linux.resources.blockIO", linux(func(l *specs.Linux) {
			l.Resources.BlockIO = &specs.LinuxBlockIO{Weight: new(uint16(10))}
		})},
		{"swappiness", "linux.resources.memory.swappiness", linux(func(l *specs.Linux) {
			l.Resources.Memory = &specs.LinuxMemory{Swappiness: new(uint64(10))}
		})},
		{"cpus", "linux.resources.cpu.cpus", linux(func(l *specs.Linux) { l.Resources.CPU = &specs.LinuxCPU{Cpus: "0"} })},
		{"propagation", "linux.rootfsPropagation", linux(func(l *specs.Linux) { l.RootfsPropagation = "shared" })},
		{"hostname-of-id", "", func(s *specs.Spec) { s.Hostname = "hostname-of-id" }},
		{"usual-sysctl", "", linux(func(l *specs.Linux) {
			l.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
		})},
		{"hosts-of-id", "", bind("/var/lib/davit/containers/hosts-of-id/etc/hosts", "/etc/hosts")},
		{"hosts", "mounts", bind("/srv/hosts", "/etc/hosts")},
		{"hostname", "hostname", func(s *specs.Spec) { s.Hostname = "web" }},
		{"domainname", "domainname", func(s *specs.Spec) { s.Domainname = "x" }},
		{"hooks", "hooks", func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}}} }},
		{"no-hooks", "", func(s *specs.Spec) { s.Hooks = &specs.Hooks{} }},
		{"readonly", "root.readonly", func(s *specs.Spec) { s.Root.Readonly = true }},
		{"apparmor", "process.apparmorProfile", func(s *specs.Spec) { s.Process.ApparmorProfile = "x" }},
		{"selinux", "process.selinuxLabel", func(s *specs.Spec) { s.Process.SelinuxLabel = "x" }},
		{"scheduler", "process.scheduler", func(s *specs.Spec) { s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch} }},
		{"windows", "windows", func(s *specs.Spec) { s.Windows = &specs.Windows{LayerFolders: []string{"x"}} }},
		{"annotations", "", func(s *specs.Spec) { s.Annotations = map[string]string{"a": "b"} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := makeFixture(t, "{}")
			t.Cleanup(f.cleanup)
			spec := command("exit 0")
			tt.edit(spec)
			w := f.workload(first(tt.name), spec)
			_, err := f.b.Create(t.Context(), w)
			if tt.ignore == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if got := executor.CodeOf(err); got != executor.Unsupported || !strings.Contains(err.Error(), `add "`+tt.ignore+`" to "ignore"`) {
				t.Errorf("got %s: %v", got, err)
			}
			config, _ := json.Marshal(map[string]any{"ignore": []string{tt.ignore}})
			g := makeFixture(t, string(config))
			t.Cleanup(g.cleanup)
			if _, err := g.b.Create(t.Context(), g.workload(first(tt.name), spec)); err != nil {
				t.Errorf("with %s: %v", config, err)
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		f := newFixture(t, "{}")
		w := f.workload(first("x"), command("true"))
		w.Spec = []byte(strings.Replace(string(w.Spec), `"ociVersion"`, `"novelty":{"a":1},"ociVersion"`, 1))
		if _, err := f.b.Create(t.Context(), w); executor.CodeOf(err) != executor.Unsupported || !strings.Contains(err.Error(), "novelty") {
			t.Errorf("a field that is not known: got %v", err)
		}
	})
	t.Run("strict", func(t *testing.T) {
		f := newFixture(t, `{"ignore":[]}`)
		spec := command("true")
		mount("/proc", "proc")(spec)
		if _, err := f.b.Create(t.Context(), f.workload(first("x"), spec)); err == nil || !strings.Contains(err.Error(), `or "usual" for`) {
			t.Errorf("usual mounts where nothing is ignored: got %v", err)
		}
	})
}

func TestConfig(t *testing.T) {
	e := specConfig(`{"ignore":["mount","linux.secomp","seccomp","root","usual","zzzz"],"cgroup_parent":"x"}`)
	var got []string
	for _, d := range e {
		got = append(got, strings.Join(d.Path, ".")+": "+d.Message+"; "+strings.SplitN(d.Hint, "?", 2)[0])
	}
	want := []string{
		`config.ignore: "mount" is no field of the OCI spec that can be ignored; did you mean "mounts"`,
		`config.ignore: "linux.secomp" is no field of the OCI spec that can be ignored; did you mean "linux.seccomp"`,
		`config.ignore: "seccomp" is no field of the OCI spec that can be ignored; did you mean "linux.seccomp"`,
		`config.ignore: "zzzz" is no field of the OCI spec that can be ignored; fields are named as in the OCI runtime spec, from its top`,
		`config.cgroup_parent: "x" is not the path of a cgroup; give a path such as /davit`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestRelativeCgroup names a cgroup that is not absolute. It is made below the backend's
// own, with its limits, and goes with the workload.
func TestRelativeCgroup(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	ref := first("relative")
	spec := command("cat /proc/self/cgroup")
	spec.Linux = &specs.Linux{CgroupsPath: "web/x", Resources: &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: new(int64(5))}}}
	f.run(ref, spec)
	f.wait(ref)
	if out := f.streams.Output(ref, "out"); !strings.Contains(out, "/davit/") || !strings.Contains(out, "/web/x/") {
		t.Errorf("it ran in %s", out)
	}
	if err := f.b.Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"/sys/fs/cgroup/davit/*/web", "/sys/fs/cgroup/*/davit/*/web"} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
