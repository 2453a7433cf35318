package process_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// network makes a network namespace for the rest of a test, and returns its path and what it is.
func network(t *testing.T) (path, is string) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	path = fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid)
	return path, linkTo(t, path)
}

func linkTo(t *testing.T, path string) string {
	t.Helper()
	to, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// outputWithin runs a script within a process and returns what it prints.
func (f *fixture) outputWithin(ref executor.Ref, id, script string) string {
	f.t.Helper()
	x := f.further(ref, id, script)
	if _, err := f.b.Create(f.t.Context(), x); err != nil {
		f.t.Fatal(err)
	}
	if exit, _ := f.wait(x.Ref); exit.Code == nil || *exit.Code != 0 {
		f.t.Errorf("%s: exit %+v", x.Ref, exit)
	}
	return f.streams.Output(ref, id)
}

// TestNetwork looks at the network from inside a process, and from inside a further one.
func TestNetwork(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	rootfs := realtest.Rootfs(t)
	path, given := network(t)
	machine := linkTo(t, "/proc/self/ns/net")
	const look = "readlink /proc/self/ns/net; echo $(ls /sys/class/net); cat /sys/class/net/lo/flags /proc/sys/net/ipv4/ip_unprivileged_port_start; "
	for _, tt := range []struct {
		name  string
		o     ocispec.Options
		same  string // which namespace, or empty for a new one
		alone bool
		more  string // that it says
	}{
		{name: "path", o: ocispec.Options{Network: path}, same: given, alone: true, more: "0x8\n0\n"},
		{name: "sysctl", o: ocispec.Options{Network: path, Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "77"}}, same: given, alone: true, more: "0x8\n77\n"},
		{name: "none", o: ocispec.Options{Network: "private"}, alone: true, more: "0x9\n0\n"},
		{name: "host", o: ocispec.Options{Network: "host"}, same: machine},
		{name: "unasked", same: machine},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			ref := first(tt.name)
			f.run(ref, rooted(t, rootfs, tt.o, look+"echo done; sleep 1000"))
			wait.Until(t, "it has looked", func() bool { return strings.Contains(f.streams.Output(ref, "out"), "done") })
			out := strings.TrimSuffix(f.streams.Output(ref, "out"), "done\n")
			is, rest, _ := strings.Cut(out, "\n")
			links, more, _ := strings.Cut(rest, "\n")
			switch {
			case tt.same != "" && is != tt.same, tt.same == "" && (is == machine || is == given):
				t.Errorf("it is in %s, and this machine in %s, and the one that is given is %s", is, machine, given)
			case tt.alone && (links != "lo" || more != tt.more):
				t.Errorf("it has the links %q and %q, want lo and %q", links, more, tt.more)
			}
			if within := f.outputWithin(ref, "x", look); within != out {
				t.Errorf("a further process sees\n%s\nand the first\n%s", within, out)
			}
		})
	}
}

// TestNamesOnTheMachine has a process on this machine's own files see the host's files for
// /etc, as long as it is in a network.
func TestNamesOnTheMachine(t *testing.T) {
	root(t)
	f := newFixture(t, `{"ignore":["usual","root"]}`)
	path, _ := network(t)
	before, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	for name, netns := range map[string]string{"within": path, "without": ""} {
		dir := f.path(name, "etc")
		o := ocispec.Options{Network: netns}
		for _, file := range []string{"hosts", "hostname"} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte("of the container\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			o.Mounts = append(o.Mounts, specs.Mount{Destination: "/etc/" + file, Type: "bind", Source: filepath.Join(dir, file), Options: []string{"rbind"}})
		}
		ref := first(name)
		f.run(ref, rooted(t, "/usr", o, "cat /etc/hosts; [ $(cat /etc/hostname) = $(hostname) ] || echo other; pwd; sleep 1000"))
		wait.Until(t, "it has looked", func() bool { return strings.HasSuffix(f.streams.Output(ref, "out"), "\n/\n") })
		want := "of the container\n"
		if netns == "" {
			want = string(before)
		}
		if got := f.streams.Output(ref, "out"); got != want+"/\n" {
			t.Errorf("%s a network: %q", name, got)
		}
		if got := f.outputWithin(ref, "x", "cat /etc/hosts"); got != want {
			t.Errorf("%s a network, a further process: %q", name, got)
		}
	}
	if after, err := os.ReadFile("/etc/hosts"); err != nil || string(after) != string(before) {
		t.Errorf("the machine's own is %q now (%v)", after, err)
	}
}

// TestNetworkErrors asks for networks that there are not, and leaves nothing.
func TestNetworkErrors(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	plain := f.path("plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path, _ := network(t)
	space := func(kind specs.LinuxNamespaceType, path string) specs.LinuxNamespace {
		return specs.LinuxNamespace{Type: kind, Path: path}
	}
	for _, tt := range []struct {
		name   string
		spaces []specs.LinuxNamespace
		sysctl string
		code   executor.Code
		want   string
	}{
		{name: "missing", spaces: []specs.LinuxNamespace{space("network", "/missing")}, code: executor.FailedPrecondition, want: "network namespace /missing: no such file"},
		{name: "plain", spaces: []specs.LinuxNamespace{space("network", plain)}, code: executor.FailedPrecondition, want: "it is no namespace; it may be one in another mount namespace"},
		{name: "kind", spaces: []specs.LinuxNamespace{space("network", "/proc/self/ns/uts")}, code: executor.Invalid, want: "it is a namespace of another kind"},
		{name: "relative", spaces: []specs.LinuxNamespace{space("network", "run/netns")}, code: executor.Invalid, want: `the path "run/netns" of the network is not absolute`},
		{name: "two", spaces: []specs.LinuxNamespace{space("network", path), space("network", path)}, code: executor.Invalid, want: "more than one network"},
		{name: "others", spaces: []specs.LinuxNamespace{space("network", path), space("pid", "/proc/self/ns/pid")}, code: executor.Unsupported, want: "cannot have: linux.namespaces;"},
		{name: "user", spaces: []specs.LinuxNamespace{space("network", path), space("user", "")}, code: executor.Unsupported, want: "cannot have: linux.namespaces;"},
		{name: "sysctl", spaces: []specs.LinuxNamespace{space("network", path)}, sysctl: "kernel.shmmax", code: executor.Unsupported, want: `"kernel.shmmax" is the machine's`},
		{name: "dots", spaces: []specs.LinuxNamespace{space("network", path)}, sysctl: "net/../kernel/shmmax", code: executor.Unsupported, want: "is the machine's"},
		{name: "unknown", spaces: []specs.LinuxNamespace{space("network", path)}, sysctl: "net.ipv4.missing", code: executor.FailedPrecondition, want: "sysctl net.ipv4.missing=1: "},
	} {
		spec := command("true")
		spec.Linux = &specs.Linux{Namespaces: tt.spaces}
		if tt.sysctl != "" {
			spec.Linux.Sysctl = map[string]string{tt.sysctl: "1"}
		}
		if _, err := f.b.Create(t.Context(), f.workload(first(tt.name), spec)); executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v (%s), want %q (%s)", tt.name, err, executor.CodeOf(err), tt.want, tt.code)
		}
	}
	// Where it is to be passed over, it is.
	g := makeFixture(t, `{"ignore":["usual","linux.namespaces"]}`)
	defer g.cleanup()
	spec := command("readlink /proc/self/ns/net")
	spec.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{space("network", path)}}
	if got := g.output(first("ignored"), spec); got != linkTo(t, "/proc/self/ns/net")+"\n" {
		t.Errorf("with namespaces ignored, it is in %s", got)
	}
}
