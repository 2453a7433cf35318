package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// ociVersion is one that older runtimes take too.
const ociVersion = "1.0.2"

// scratchMount is where containers see their scratch directory.
const scratchMount = "/scratch"

// OCI gives a Target.Spec for executors that run OCI containers on Linux. The
// directory rootfs holds a POSIX shell as /bin/sh, seq and sleep: see
// [BusyboxRootfs]. All containers share it.
func OCI(rootfs string) func(p Program, scratch string) (json.RawMessage, error) {
	return func(p Program, scratch string) (json.RawMessage, error) {
		return json.Marshal(ociSpec(rootfs, scratch, p.Args(scratchMount)))
	}
}

// Shell is a Target.Spec for executors that run commands on this machine, with
// its own shell.
func Shell(p Program, scratch string) (json.RawMessage, error) {
	return json.Marshal(specs.Spec{
		Version: ociVersion,
		Process: &specs.Process{Args: p.Args(scratch), Cwd: "/", Env: []string{"PATH=" + os.Getenv("PATH")}},
		Root:    &specs.Root{Path: "/"},
	})
}

// Memory is a Target.Spec for the memory executor, package memory.
func Memory(p Program, scratch string) (json.RawMessage, error) {
	var args []string
	for i, s := range p {
		if i > 0 {
			args = append(args, ";")
		}
		args = append(args, s.memory(scratch)...)
	}
	return json.Marshal(specs.Spec{Version: ociVersion, Process: &specs.Process{Args: args, Cwd: "/"}})
}

func (s Step) memory(scratch string) []string {
	file, n, sig := filepath.Join(scratch, s.File), strconv.Itoa(s.N), strconv.Itoa(int(s.Signal))
	verb := string(s.Action)
	switch s.Action {
	case Print:
		return []string{verb, s.Stream, s.Text}
	case Count:
		return []string{verb, s.Stream, n}
	case Mark:
		return []string{verb, file, s.Text}
	case Await, Exec:
		return []string{verb, file}
	case Ignore:
		return []string{verb, sig}
	case Trap:
		return []string{verb, sig, n}
	}
	return []string{verb, n} // Exit
}

// ociSpec isolates what every runtime can isolate, and asks for nothing else.
func ociSpec(rootfs, scratch string, args []string) specs.Spec {
	return specs.Spec{
		Version: ociVersion,
		Process: &specs.Process{
			Args:            args,
			Cwd:             "/",
			Env:             []string{"PATH=/bin:/usr/bin"},
			NoNewPrivileges: true,
		},
		Root: &specs.Root{Path: rootfs},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755", "size=1m"}},
			{Destination: scratchMount, Type: "bind", Source: scratch, Options: []string{"rbind", "rw"}},
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.MountNamespace},
			},
		},
	}
}

// BusyboxRootfs makes a root file system for [OCI] in dir, which must exist, of
// the statically linked busybox at the path busybox.
func BusyboxRootfs(dir, busybox string) error {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	for _, name := range []string{"bin", "proc", "dev", "scratch"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/busybox"), program, 0o755); err != nil {
		return err
	}
	for _, applet := range []string{"sh", "seq", "sleep"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", applet)); err != nil {
			return err
		}
	}
	return nil
}
