package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/linux"
)

// ociVersion is one that older runtimes take too.
const ociVersion = "1.0.2"

// scratchMount is where containers see their scratch directory.
const scratchMount = "/scratch"

// OCI returns a Target.Spec for executors that run OCI containers on Linux. All
// containers share the directory rootfs. Without a program, rootfs has a POSIX shell
// as /bin/sh, seq, sleep, cat and stty: see [BusyboxRootfs]. Otherwise it has the program, made
// of package workload, whose command line begins with the arguments program: see
// [ProgramRootfs].
func OCI(rootfs string, program ...string) func(p Program, scratch string) (json.RawMessage, error) {
	return func(p Program, scratch string) (json.RawMessage, error) {
		return json.Marshal(ociSpec(rootfs, scratch, p.command(program, scratchMount)))
	}
}

// Shell is a Target.Spec for executors that run commands on this machine, with
// its own shell.
func Shell(p Program, scratch string) (json.RawMessage, error) { return Command()(p, scratch) }

// Command returns a Target.Spec for executors that run commands on this machine. The
// arguments are the beginning of the command line of a program made of package
// workload. Without any, the machine's own shell runs the steps.
func Command(program ...string) func(p Program, scratch string) (json.RawMessage, error) {
	return func(p Program, scratch string) (json.RawMessage, error) {
		return json.Marshal(spec{
			Version: ociVersion,
			Process: process{Args: p.command(program, scratch), Cwd: "/", Env: []string{"PATH=" + os.Getenv("PATH")}},
			Root:    &root{Path: "/"},
		})
	}
}

// Memory is a Target.Spec for the memory executor, package memory.
func Memory(p Program, scratch string) (json.RawMessage, error) {
	return json.Marshal(spec{Version: ociVersion, Process: process{Args: p.Words(scratch), Cwd: "/"}})
}

// spec is what the suite needs of an OCI runtime spec. The suite does not import the
// module that declares all of it, so that authors' modules need not either.
type spec struct {
	Version string     `json:"ociVersion"`
	Process process    `json:"process"`
	Root    *root      `json:"root,omitempty"`
	Mounts  []mount    `json:"mounts,omitempty"`
	Linux   *linuxSpec `json:"linux,omitempty"`
}

type process struct {
	Args            []string `json:"args"`
	Env             []string `json:"env,omitempty"`
	Cwd             string   `json:"cwd"`
	NoNewPrivileges bool     `json:"noNewPrivileges,omitempty"`
}

type root struct {
	Path string `json:"path"`
}

type mount struct {
	Destination string   `json:"destination"`
	Type        string   `json:"type"`
	Source      string   `json:"source"`
	Options     []string `json:"options"`
}

type linuxSpec struct {
	Namespaces []namespace `json:"namespaces"`
}

type namespace struct {
	Type string `json:"type"`
}

// ociSpec isolates what every runtime can isolate, and asks for nothing else.
func ociSpec(rootfs, scratch string, args []string) spec {
	return spec{
		Version: ociVersion,
		Process: process{Args: args, Cwd: "/", Env: []string{"PATH=/bin:/usr/bin"}, NoNewPrivileges: true},
		Root:    &root{Path: rootfs},
		Mounts: []mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755", "size=1m"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
			{Destination: scratchMount, Type: "bind", Source: scratch, Options: []string{"rbind", "rw"}},
		},
		Linux: &linuxSpec{Namespaces: []namespace{{"pid"}, {"ipc"}, {"uts"}, {"mount"}}},
	}
}

// rootfsDirs are the mount points of [OCI] and the place for programs.
var rootfsDirs = []string{"bin", "proc", "dev", "scratch"}

// BusyboxRootfs makes a root file system for [OCI] in dir, which must exist, of
// the statically linked busybox at the path busybox.
func BusyboxRootfs(dir, busybox string) error {
	if err := ProgramRootfs(dir, busybox); err != nil {
		return err
	}
	for _, applet := range []string{"sh", "seq", "sleep", "cat", "stty"} {
		if err := os.Symlink("workload", filepath.Join(dir, "bin", applet)); err != nil {
			return err
		}
	}
	return nil
}

// ProgramRootfs makes a root file system for [OCI] in dir, which must exist, with
// nothing but a copy of a statically linked program, as /bin/workload.
func ProgramRootfs(dir, program string) error {
	for _, name := range rootfsDirs {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return linux.WriteProgram(filepath.Join(dir, "bin/workload"), content, 0o755)
}
