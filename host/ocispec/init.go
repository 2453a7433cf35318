package ocispec

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// initTarget is where a container sees its init. There is nothing to be made for it in the
// root file system, since /dev is the container's own.
const initTarget = "/dev/init"

// inits are the programs that can be a container's init, the best known first: small ones
// that run their arguments, pass signals on and reap. Debian's packages of the same names,
// docker-init being docker's tini, have them. Podman has its own in a directory beside PATH.
var inits = []string{"tini-static", "catatonit", "/usr/libexec/podman/catatonit", "docker-init", "tini"}

func (o *Options) validateInit() error {
	if o.Init && o.PID != "" && o.PID != NamespacePrivate {
		return invalid("an init does not go with pid %s, where it would not be the first process; leave one of them out", o.PID)
	}
	return nil
}

// changeInit has the command run by an init, which is the first process.
func (o *Options) changeInit(spec *object, _ string) error {
	if !o.Init {
		return nil
	}
	program, err := findInit(inits)
	if err != nil {
		return err
	}
	var args []string
	err = spec.edit(func(process *object) error {
		if _, err := process.get("args", &args); err != nil {
			return err
		}
		return process.set("args", append([]string{initTarget, "--"}, args...))
	}, "process")
	if err != nil {
		return err
	}
	var mounts []json.RawMessage
	if _, err := spec.get("mounts", &mounts); err != nil {
		return err
	}
	raw, err := json.Marshal(specs.Mount{Destination: initTarget, Type: "bind", Source: program, Options: []string{"bind", "ro"}})
	if err != nil {
		return err
	}
	return spec.set("mounts", place(mounts, initTarget, raw))
}

// WithoutInit returns the arguments of a command as they were before the init was added.
func (o *Options) WithoutInit(args []string) []string {
	if o.Init && len(args) > 2 && args[0] == initTarget {
		return args[2:]
	}
	return args
}

// findInit returns the path of the first of some programs that is installed and needs no
// library, which the container may not have.
func findInit(names []string) (string, error) {
	var problems []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if err := isStatic(path); err != nil {
			problems = append(problems, err.Error())
			continue
		}
		return path, nil
	}
	why := "none is installed"
	if len(problems) > 0 {
		why = strings.Join(problems, "; ")
	}
	return "", invalid("there is no init for containers: %s; install tini-static or catatonit on the host", why)
}

// isStatic returns an error unless a file is a program that needs no library.
func isStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s needs libraries, which a container may not have", path)
		}
	}
	return nil
}
