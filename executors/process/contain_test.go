package process_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// rooted returns the spec of `davit run --rootfs` for a script, changed by edit.
func rooted(t *testing.T, rootfs string, o ocispec.Options, script string) *specs.Spec {
	t.Helper()
	o.Args = []string{"sh", "-c", script}
	raw, err := ocispec.FromRootfs(rootfs, o)
	if err != nil {
		t.Fatal(err)
	}
	spec := new(specs.Spec)
	if err := json.Unmarshal(raw, spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// output runs a spec to its end and returns what it printed.
func (f *fixture) output(ref executor.Ref, spec *specs.Spec) string {
	f.t.Helper()
	f.run(ref, spec)
	exit, _ := f.wait(ref)
	if exit.Code == nil || *exit.Code != 0 {
		f.t.Errorf("%s: exit %+v, stderr %q", ref, exit, f.streams.Output(ref, "err"))
	}
	return f.streams.Output(ref, "out")
}

// TestContained looks at a root file system of a process's own from inside.
func TestContained(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	rootfs := realtest.Rootfs(t)
	data := filepath.Join(filepath.Dir(f.env.StateDir), "data")
	if err := os.MkdirAll(filepath.Join(data, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "file"), []byte("of the host\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/made/by/link", filepath.Join(rootfs, "etc/dangling")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, script, want string
		o                  ocispec.Options
		edit               func(*specs.Spec)
	}{
		{name: "proc", script: "[ -r /proc/self/status ] && echo there", want: "there\n"},
		{name: "devices", script: "cd /dev; ls -d null zero full random urandom tty fd stdin stdout stderr ptmx pts shm | wc -l; echo x >null; head -c 2 zero | wc -c; ls -l stdout | sed 's/.*-> //'", want: "13\n2\n/proc/self/fd/1\n"},
		{name: "cwd", script: "pwd", o: ocispec.Options{Cwd: "/made/for/me"}, want: "/made/for/me\n"},
		{name: "hostname", script: "hostname; cat /proc/sys/kernel/hostname", o: ocispec.Options{Hostname: "web"}, want: "web\nweb\n"},
		{name: "bind", script: "cat /data/file /etc/dangling; touch /data/x && rm /data/x && echo writable", want: "of the host\nof the host\nwritable\n", o: ocispec.Options{Mounts: []specs.Mount{
			{Destination: "/data", Type: "bind", Source: data, Options: []string{"rbind", "rprivate"}},
			{Destination: "/etc/dangling", Type: "bind", Source: data + "/file"},
		}}},
		{name: "read-only-bind", script: "cat /data/file; touch /data/x 2>&1", want: "of the host\ntouch: /data/x: Read-only file system\n", o: ocispec.Options{Mounts: []specs.Mount{
			{Destination: "/data", Type: "bind", Source: data, Options: []string{"rbind", "ro"}},
		}}, edit: func(s *specs.Spec) { s.Process.Args[2] += "; true" }},
		{name: "program-in-bind", want: "found\n", o: ocispec.Options{Mounts: []specs.Mount{
			{Destination: "/tool", Type: "bind", Source: rootfs + "/bin"},
		}}, edit: func(s *specs.Spec) { s.Process.Args = []string{"/tool/echo", "found"} }},
		{name: "tmpfs", script: "grep ' /scratch ' /proc/self/mounts | cut -d' ' -f3,4; echo 1 >/scratch/x", want: "tmpfs rw,nosuid,relatime,size=1024k\n", o: ocispec.Options{Mounts: []specs.Mount{
			{Destination: "/scratch", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "size=1m"}},
		}}},
		{name: "read-only-root", script: "touch /x 2>&1; echo 1 >/dev/shm/x && echo shm", o: ocispec.Options{ReadOnly: true}, want: "touch: /x: Read-only file system\nshm\n"},
		{name: "masked", script: "wc -c </proc/interrupts; ls /proc/acpi 2>/dev/null; echo 1 2>/dev/null >/proc/sys/kernel/panic_on_oops || echo read-only", want: "0\nread-only\n"},
		{name: "privileges", script: "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status", want: "NoNewPrivs:\t0\nSeccomp:\t0\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			spec := rooted(t, rootfs, tt.o, tt.script)
			if tt.edit != nil {
				tt.edit(spec)
			}
			if got := f.output(first(tt.name), spec); got != tt.want {
				t.Errorf("got %q, want %q; stderr %q", got, tt.want, f.streams.Output(first(tt.name), "err"))
			}
		})
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), rootfs) {
		t.Errorf("this machine sees mounts of the workloads' (%v):\n%s", err, mounts)
	}
	for _, dir := range []string{"proc", "dev", "sys"} {
		if entries, err := os.ReadDir(filepath.Join(rootfs, dir)); len(entries) > 0 {
			t.Errorf("the directory %s of the root file system has %v (%v)", dir, entries, err)
		}
	}
}

// TestHostnameOfTheMachine checks that a process without a host name of its own is not
// told the one that its host wanted for it, but what a user asks for.
func TestHostnameOfTheMachine(t *testing.T) {
	f := newFixture(t, "{}")
	for name, want := range map[string]string{"told": "", "asked": "other"} {
		spec := command("")
		spec.Process.Args = []string{"/usr/bin/env"}
		spec.Hostname = name
		value := want
		if value == "" {
			value = name
		}
		spec.Process.Env = append(spec.Process.Env, "HOSTNAME="+value)
		out := f.output(first(name), spec)
		if got := strings.Contains(out, "HOSTNAME="); got != (want != "") {
			t.Errorf("%s: the environment is %q", name, out)
		}
	}
}

// TestContainedErrors starts what cannot be started, and leaves nothing.
func TestContainedErrors(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	rootfs := realtest.Rootfs(t)
	for _, tt := range []struct {
		name string
		edit func(*specs.Spec)
		code executor.Code
		want string
	}{
		{"type", func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: "/x", Type: "ext4", Source: "/dev/vda"}} }, executor.Unsupported, `mounts[/x]: a plain process cannot have a mount of type "ext4"`},
		{"option", func(s *specs.Spec) {
			s.Mounts = []specs.Mount{{Destination: "/x", Type: "bind", Source: "/tmp", Options: []string{"rro"}}}
		}, executor.Unsupported, `mount with the option "rro"`},
		{"root", func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: "/../", Type: "bind", Source: "/tmp"}} }, executor.Invalid, "give an absolute path below /"},
		{"source", func(s *specs.Spec) { s.Mounts = []specs.Mount{{Destination: "/x", Type: "bind", Source: "/no/such"}} }, executor.FailedPrecondition, "mount at /x: no such file or directory"},
		{"not found", func(s *specs.Spec) { s.Process.Args = []string{"nothing"} }, executor.CommandNotFound, `"nothing" is not found in PATH`},
		{"not executable", func(s *specs.Spec) { s.Process.Args = []string{"/etc/plain"} }, executor.CommandNotExecutable, "/etc/plain: is not executable"},
		{"filtered", func(s *specs.Spec) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"execve"}, Action: specs.ActErrno}}}
		}, executor.Internal, "exec /bin/true: operation not permitted"},
		{"no loader", func(s *specs.Spec) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
			s.Process.Args = []string{"/etc/script"}
		}, executor.CommandNotFound, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, mode := range map[string]os.FileMode{"script": 0o755, "plain": 0o644} {
				if err := os.WriteFile(filepath.Join(rootfs, "etc", name), []byte("#!/no/such\n"), mode); err != nil {
					t.Fatal(err)
				}
			}
			spec := rooted(t, rootfs, ocispec.Options{}, "")
			spec.Process.Args = []string{"/bin/true"}
			tt.edit(spec)
			_, err := f.b.Create(t.Context(), f.workload(first("x"), spec))
			if executor.CodeOf(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got %s: %v; want %s: %s", executor.CodeOf(err), err, tt.code, tt.want)
			}
		})
	}
}

// TestSeccomp has profiles of different kinds upon root and another user.
func TestSeccomp(t *testing.T) {
	f := newFixture(t, "{}")
	errno := func(n uint) *uint { return &n }
	for _, tt := range []struct {
		name, script, want string
		rules              specs.LinuxSeccomp
	}{
		{"denied", "mkdir /tmp/none 2>&1; echo $?", "mkdir: cannot create directory '/tmp/none': Operation not permitted\n1\n", specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat", "no_such_call"}, Action: specs.ActErrno}},
		}},
		{"errno", "mkdir /tmp/none 2>&1; echo $?", "mkdir: cannot create directory '/tmp/none': Cannot allocate memory\n1\n", specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: errno(12)}},
		}},
		{"condition", "kill -0 $$ && echo 0; kill -CONT $$ || echo CONT", "0\nCONT\n", specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"kill"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{
				{Index: 1, Op: specs.OpEqualTo, Value: 18},
			}}},
		}},
		{"killed", "sh -c 'kill -0 $$' ; echo $?", "159\n", specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"kill"}, Action: specs.ActKillProcess}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			for _, uid := range []uint32{0, 12} {
				if uid != 0 && os.Geteuid() != 0 {
					continue
				}
				spec := command(tt.script)
				spec.Process.Env = append(spec.Process.Env, "LC_ALL=C.UTF-8")
				spec.Process.User.UID = uid
				spec.Linux = &specs.Linux{Seccomp: &tt.rules}
				ref := first(fmt.Sprintf("%s-%d", tt.name, uid))
				if got := f.output(ref, spec); strings.NewReplacer("‘", "'", "’", "'").Replace(got) != tt.want {
					t.Errorf("user %d: got %q, want %q; stderr %q", uid, got, tt.want, f.streams.Output(ref, "err"))
				}
			}
		})
	}
	t.Run("state", func(t *testing.T) {
		f := *f
		f.t = t
		spec := command("grep -E 'NoNewPrivs|Seccomp:|CapEff' /proc/self/status; ls /proc/self/fd | wc -l; cat /proc/self/stat | cut -d' ' -f6 >/dev/null; ulimit -Sn")
		spec.Linux = &specs.Linux{Seccomp: &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}}
		caps := []string{"CAP_CHOWN"}
		spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
		spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 88}}
		want := "CapEff:\t0000000000000001\nNoNewPrivs:\t0\nSeccomp:\t2\n4\n77\n"
		if os.Geteuid() != 0 {
			want = "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n4\n77\n"
		}
		if got := f.output(first("state"), spec); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestOwnCgroups checks that a workload shares no cgroup with its executor.
func TestOwnCgroups(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	ref := first("cgroups")
	st := f.run(ref, command("exec sleep 1000"))
	own, err := linux.CgroupsOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	its, err := linux.CgroupsOf(st.PID)
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := linux.CgroupMounts()
	if err != nil {
		t.Fatal(err)
	}
	mounted := func(controller string) bool {
		for _, m := range mounts {
			if m.Has(controller) || controller == "" && m.Unified {
				return true
			}
		}
		return false
	}
	for controller, path := range its {
		if mounted(controller) && (path == own[controller] || !strings.Contains(path, f.b.Key())) {
			t.Errorf("the cgroup of %q is %s, that of the executor %s", controller, path, own[controller])
		}
	}
	if len(its) == 0 {
		t.Error("no cgroups")
	}
}

// moveAll moves the processes of a cgroup to another one.
func moveAll(from, to string) error {
	pids, err := os.ReadFile(filepath.Join(from, "cgroup.procs"))
	for pid := range strings.FieldsSeq(string(pids)) {
		err = errors.Join(err, os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(pid), 0))
	}
	return err
}

// TestExecutorIsMoved: systemd moves an executor out of the cgroup in which it began, and
// removes that.
func TestExecutorIsMoved(t *testing.T) {
	root(t)
	mounts, err := linux.CgroupMounts()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(mounts, func(m linux.CgroupMount) bool { return m.Has("freezer") })
	if i < 0 {
		t.Skip("there is no cgroup of version 1")
	}
	own, err := linux.CgroupsOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	before := mounts[i].Dir(own["freezer"])
	began := filepath.Join(before, fmt.Sprintf("davit-test-%d", os.Getpid()))
	if err := os.Mkdir(began, 0o755); err != nil {
		t.Fatal(err)
	}
	enter := func(dir string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
	}
	enter(began)
	f := newFixture(t, "{}")
	earlier := first("earlier")
	f.run(earlier, command("sleep 1000"))
	enter(before)
	wait.Until(t, "its monitor has left", func() bool { return moveAll(began, before) == nil && os.Remove(began) == nil })
	x := f.further(earlier, "x", "echo here")
	if _, err := f.b.Create(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if exit, _ := f.wait(x.Ref); exit.Code == nil || *exit.Code != 0 {
		t.Errorf("in what was started before: %+v", exit)
	}
	if got := f.output(first("moved"), command("echo here")); got != "here\n" {
		t.Errorf("got %q", got)
	}
}

// TestSetUserIDProgram starts a set-user-id program as another user, with limits: it gets
// both.
func TestSetUserIDProgram(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "grep")
	text, err := os.ReadFile("/usr/bin/grep")
	if err == nil {
		err = linux.WriteProgram(program, text, 0o755)
	}
	if err == nil {
		err = errors.Join(os.Chmod(program, 0o755|os.ModeSetuid), os.Chmod(dir, 0o755))
	}
	if err != nil {
		t.Skip(err)
	}
	for _, noNew := range []bool{false, true} {
		for _, filter := range []*specs.LinuxSeccomp{nil, {DefaultAction: specs.ActAllow}} {
			spec := command("")
			spec.Process.User, spec.Process.NoNewPrivileges = specs.User{UID: 12, GID: 12}, noNew
			spec.Process.Args = []string{program, "-E", "^Uid|open files", "/proc/self/status", "/proc/self/limits"}
			spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 88}}
			spec.Linux = &specs.Linux{Seccomp: filter}
			ref := first(fmt.Sprintf("suid-%t-%t", noNew, filter != nil))
			out := strings.Join(strings.Fields(f.output(ref, spec)), " ")
			want := "Uid: 12 0 0 0"
			if noNew {
				want = "Uid: 12 12 12 12"
			}
			if !strings.Contains(out, want) || !strings.Contains(out, "77 88") {
				t.Errorf("%s: got %q, want %q and the limits 77 88", ref, out, want)
			}
		}
	}
}
