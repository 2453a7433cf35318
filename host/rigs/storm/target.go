package storm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	// more is what else its block in the host's config has.
	more string
	// direct says that the workload is among this machine's own files instead of in
	// the root file system, and inline that it has no process beside its monitor.
	direct, inline bool
	// bundles are patterns of paths in the storm's directory, with {id} for that of a
	// container, where the backend keeps what it has begun to start, and contacts
	// those of files that name the sockets of shims.
	bundles, contacts []string
}

// Binaries are the programs that a storm needs.
type Binaries struct {
	// Module is the directory of davit's module, from which its programs are built.
	// Debian and Newest are containerds: Debian's 1.6, and one of version 2.
	Module, Debian, Newest string
}

// targets returns what can be stormed on this machine.
func (b Binaries) targets() []target {
	return []target{
		containerdTarget("debian", b.Debian, "runc", "io.containerd.runc.v2", "io.containerd.runc.v1", "io.containerd.runtime.v1.linux"),
		containerdTarget("newest", b.Newest, "runc", "io.containerd.runc.v2", "io.containerd.runc.v1"),
		b.shimTarget("shim"),
		{
			name: "process", executor: "process", runtimes: []string{""}, direct: true,
			more:    "  config {\n    ignore = [\"usual\", \"root\"]\n  }\n",
			bundles: []string{"state/backends/process/containers/{id}/job.json"},
		},
		{
			name: "wasm", executor: "wasm", runtimes: []string{""}, inline: true,
			bundles: []string{"state/backends/wasm/containers/{id}/job.json"},
		},
	}
}

// linux returns the targets that run Linux containers.
func (b Binaries) linux() []target {
	return slices.DeleteFunc(b.targets(), func(t target) bool { return t.direct || t.inline })
}

// imageTargets are those that run images for Linux.
func (opts Options) imageTargets() []target {
	all := slices.DeleteFunc(opts.targets(), func(t target) bool { return t.inline })
	for i := range all {
		all[i].more = strings.ReplaceAll(all[i].more, `"usual", "root"`, `"usual"`)
	}
	return all
}

// shimTarget has davit's own shim, and one of containerd's.
func (b Binaries) shimTarget(name string) target {
	state := filepath.Join("state/backends", name, "containers")
	shim := filepath.Join(filepath.Dir(b.Newest), "containerd-shim-runc-v2")
	return target{
		name: name, executor: "shim", runtimes: []string{"runc", "foreign"},
		more:     fmt.Sprintf("  runtime \"foreign\" {\n    shim = %q\n  }\n", shim),
		bundles:  []string{filepath.Join(state, "{id}/*/config.json")},
		contacts: []string{filepath.Join(state, "{id}/shim.json")},
	}
}

func containerdTarget(name, daemon string, runtimes ...string) target {
	x := filepath.Join("run/backends", name, "x")
	return target{
		name: name, executor: "containerd", daemon: daemon, ctr: filepath.Join(filepath.Dir(daemon), "ctr"), runtimes: runtimes,
		bundles:  []string{filepath.Join(x, "containerd/io.containerd.*/davit/{id}*/config.json")},
		contacts: []string{filepath.Join(x, "containerd/io.containerd.*/davit/{id}*/address"), filepath.Join(x, "containerd/io.containerd.*/davit/{id}*/bootstrap.json")},
	}
}

// block returns the target's part of the host's config.
func (t target) block() string {
	config := t.more
	if t.daemon != "" {
		config += fmt.Sprintf("  config {\n    containerd = %q\n  }\n", t.daemon)
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

// version returns what a program says of its version, without its name.
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
