package storm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// target is a backend that is stormed. One more executor is one more line in
// targets.
type target struct {
	name, executor string
	// daemon is the containerd that the backend has for itself, and ctr its client;
	// both are empty for executors without one.
	daemon, ctr string
	runtimes    []string
	// bundles are patterns of paths in the storm's directory where the backend keeps
	// the config.json of its containers, by which it can be seen how far a create
	// has come, and contacts those of files that name the sockets of shims.
	bundles, contacts []string
}

// Binaries are the programs that a storm needs.
type Binaries struct {
	// Module is the directory of davit's module, from which its programs are built.
	// Debian and Newest are containerds: Debian's 1.6, and one of version 2.
	Module, Debian, Newest string
}

// targets gives what can be stormed on this machine.
func (b Binaries) targets() []target {
	return []target{
		containerdTarget("debian", b.Debian, "runc", "io.containerd.runc.v2", "io.containerd.runc.v1", "io.containerd.runtime.v1.linux"),
		containerdTarget("newest", b.Newest, "runc", "io.containerd.runc.v2", "io.containerd.runc.v1"),
		shimTarget("shim"),
	}
}

func shimTarget(name string) target {
	state := filepath.Join("state/backends", name, "containers")
	return target{
		name: name, executor: "shim", runtimes: []string{"runc", "io.containerd.runc.v2"},
		bundles:  []string{filepath.Join(state, "*/*/config.json")},
		contacts: []string{filepath.Join(state, "{id}/shim.json")},
	}
}

func containerdTarget(name, daemon string, runtimes ...string) target {
	x := filepath.Join("run/backends", name, "x")
	return target{
		name: name, executor: "containerd", daemon: daemon, ctr: filepath.Join(filepath.Dir(daemon), "ctr"), runtimes: runtimes,
		bundles:  []string{filepath.Join(x, "containerd/io.containerd.*/davit/*/config.json")},
		contacts: []string{filepath.Join(x, "containerd/io.containerd.*/davit/{id}*/address"), filepath.Join(x, "containerd/io.containerd.*/davit/{id}*/bootstrap.json")},
	}
}

// block gives the target's part of the host's config.
func (t target) block() string {
	config := ""
	if t.daemon != "" {
		config = fmt.Sprintf("  config {\n    containerd = %q\n  }\n", t.daemon)
	}
	return fmt.Sprintf("backend %q {\n  executor = %q\n%s}\n", t.name, t.executor, config)
}

// versions names the programs that were stormed.
func (b Binaries) versions() []string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	davit, _ := exec.Command("git", "-C", b.Module, "describe", "--tags", "--always", "--dirty").Output()
	return []string{
		"davit " + strings.TrimSpace(string(davit)), "containerd " + version(b.Debian), "containerd " + version(b.Newest),
		"runc " + version("runc"), "Linux " + strings.TrimSpace(string(kernel)),
	}
}

// version gives what a program says of its version, without its name.
func version(program string) string {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	for word := range strings.FieldsSeq(line) {
		if v := strings.TrimPrefix(word, "v"); v != "" && v[0] >= '0' && v[0] <= '9' {
			return v
		}
	}
	return line
}
