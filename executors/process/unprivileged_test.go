package process_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// nobody is a user without rights.
const nobody = 65534

// TestUnprivileged checks that everything works without root that does not need it.
// `make matrix` also runs the conformance suite so.
func TestUnprivileged(t *testing.T) {
	root(t)
	tests := []string{"TestProcess", "TestExit", "TestDescendants", "TestMonitorKilled", "TestWorkloadKilledWhileNobodyWatches", "TestOwnUser"}
	if realtest.Matrix() {
		tests = append(tests, "TestConformance$/^direct")
	}
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^"+strings.Join(tests, "$|^")+"$")
	cmd.Env = append(os.Environ(), "HOME=/", "TMPDIR=/tmp")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestOwnUser") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

// TestOwnUser: a spec that asks for root gets the executor's own user, since specs
// cannot leave the user open. Other users are refused.
func TestOwnUser(t *testing.T) {
	if os.Geteuid() != nobody {
		t.Skip("needs to be run by TestUnprivileged")
	}
	f := newFixture(t, "{}")
	ref := first("own")
	f.run(ref, command("id -u; id -g"))
	f.wait(ref)
	if got := f.streams.Output(ref, "out"); got != "65534\n65534\n" {
		t.Errorf("uid and gid: got %q", got)
	}
	for name, edit := range map[string]func(*specs.Spec){
		"process.user": func(s *specs.Spec) { s.Process.User.UID = 12 },
		"root.path":    func(s *specs.Spec) { s.Root.Path = "/usr" },
		"linux.namespaces: to put a process into a network of its own, the executor needs CAP_SYS_ADMIN": func(s *specs.Spec) {
			s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: "/proc/self/ns/net"}}}
		},
		"CAP_SYS_ADMIN; run it as root, use --network host": func(s *specs.Spec) {
			s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace}}}
			s.Annotations = map[string]string{executor.AnnotationNetwork: executor.NetworkAlone}
		},
		"linux.resources.memory.limit": func(s *specs.Spec) {
			s.Linux = &specs.Linux{Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(16 << 20))}}}
		},
	} {
		spec := command("true")
		edit(spec)
		if _, err := f.b.Create(t.Context(), f.workload(first("refused"), spec)); executor.CodeOf(err) != executor.Unsupported || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}

	// With the root ignored, the usual spec runs on the machine's own files.
	g := newFixture(t, `{"ignore":["usual","root"]}`)
	raw, err := ocispec.FromRootfs("/usr", ocispec.Options{Args: []string{"sh", "-c", "ls -d /etc"}})
	if err != nil {
		t.Fatal(err)
	}
	w := g.workload(ref, command(""))
	w.Spec = raw
	if _, err := g.b.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	g.wait(ref)
	if got := g.streams.Output(ref, "out"); got != "/etc\n" {
		t.Errorf("with the root ignored: got %q, %q", got, g.streams.Output(ref, "err"))
	}
}
