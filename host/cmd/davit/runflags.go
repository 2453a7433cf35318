package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/docker/go-units"
	"github.com/spf13/pflag"
)

// runFlags are the flags of `davit run`.
type runFlags struct {
	opts    host.ContainerOptions
	detach  bool
	fileEnv []string // from --env-file, which --env overrides
	stop    seconds
}

func (f *runFlags) register(fs *pflag.FlagSet, env func(string) (string, bool)) {
	o, p := &f.opts, &f.opts.Process
	fs.StringVar(&o.Rootfs, "rootfs", "", "`DIR` with the root file system")
	fs.StringVar(&o.Bundle, "bundle", "", "`DIR` of an OCI bundle: config.json and a root file system")
	fs.StringVar(&o.Backend, "backend", "", "`NAME` of the backend (default: the host's)")
	fs.StringVar(&o.Runtime, "runtime", "", "`NAME` of the runtime (default: the backend's)")
	fs.StringVar(&o.Name, "name", "", "`NAME` for the container")
	fs.BoolVarP(&f.detach, "detach", "d", false, "print the container's id and leave it running")
	fs.BoolVar(&o.AutoRemove, "rm", false, "remove the container when it has ended")
	fs.FuncP("env", "e", "environment variable `NAME[=VALUE]`; without a value it is our own", func(s string) error {
		return addEnv(&p.Env, s, env)
	})
	fs.Func("env-file", "`FILE` with an environment variable on each line", func(s string) error {
		return readEnv(&f.fileEnv, s, env)
	})
	fs.StringVarP(&p.Cwd, "workdir", "w", "", "working `DIR` in the container")
	fs.StringVarP(&p.User, "user", "u", "", "`USER[:GROUP]` to run as, names or numbers")
	fs.StringVar(&p.Hostname, "hostname", "", "host `NAME` in the container")
	fs.FuncP("volume", "v", "`SOURCE:TARGET[:ro]` is a bind mount", func(s string) error {
		m, err := ocispec.ParseVolume(s)
		p.Mounts = append(p.Mounts, m)
		return err
	})
	fs.Func("mount", "`MOUNT` such as type=bind,source=/a,target=/b,readonly or type=tmpfs,target=/tmp", func(s string) error {
		m, err := ocispec.ParseMount(s)
		p.Mounts = append(p.Mounts, m)
		return err
	})
	fs.BoolVar(&p.ReadOnly, "read-only", false, "make the root file system read-only")
	fs.FuncP("memory", "m", "memory limit, a `SIZE` such as 64m", func(s string) (err error) {
		p.MemoryBytes, err = ocispec.ParseMemory(s)
		return err
	})
	fs.Func("cpus", "CPU limit, a `NUMBER` such as 1.5", func(s string) (err error) {
		p.CPUs, err = ocispec.ParseCPUs(s)
		return err
	})
	fs.Int64Var(&p.PidsLimit, "pids-limit", 0, "limit on processes and threads, a `NUMBER`; -1 is none")
	fs.Func("label", "label `NAME[=VALUE]`, for people and programs", func(s string) error { return addLabel(o, s) })
	fs.StringVar(&o.Restart, "restart", "", "restart `POLICY`: no, on-failure[:N], always or unless-stopped")
	fs.Func("stop-signal", "`SIGNAL` with which to stop it (default TERM)", func(s string) (err error) {
		o.StopSignal, err = parseSignal(s)
		return err
	})
	fs.Var(&f.stop, "stop-timeout", "`DURATION` or seconds from the stop signal to killing it (default 10s)")
	fs.BoolVar(&o.MergeOutput, "merge-output", false, "keep stdout and stderr as one stream, in their order")
	fs.Func("output-max", "how much of each output stream is kept, a `SIZE` such as 64m; -1 is all (default: the host's)", func(s string) (err error) {
		o.OutputMax, err = parseOutputMax(s)
		return err
	})
}

// options gives what the flags and the arguments say.
func (f *runFlags) options(args []string) (host.ContainerOptions, error) {
	o := f.opts
	switch {
	case o.Rootfs == "" && o.Bundle == "":
		return o, errors.New("nothing to run: give --rootfs DIR and a command, or --bundle DIR")
	case o.Rootfs != "" && o.Bundle != "":
		return o, errors.New("both --rootfs and --bundle are given; use one")
	case o.Rootfs != "" && len(args) == 0:
		return o, errors.New("no command is given; write it after the flags: davit run --rootfs DIR CMD [ARG...]")
	}
	o.Process.Args = args
	o.Process.Env = append(f.fileEnv, o.Process.Env...)
	o.StopTimeout = time.Duration(f.stop)
	return o, errors.Join(absolute(&o.Rootfs), absolute(&o.Bundle))
}

// absolute resolves a path against our working directory, which the host does
// not know.
func absolute(path *string) (err error) {
	if *path != "" {
		*path, err = filepath.Abs(*path)
	}
	return err
}

func addEnv(list *[]string, s string, env func(string) (string, bool)) error {
	v, err := ocispec.ParseEnv(s, env)
	if v != "" {
		*list = append(*list, v)
	}
	return err
}

// readEnv reads a file with a variable on each line. Empty lines and those that
// begin with # are left out; nothing is quoted.
func readEnv(list *[]string, path string, env func(string) (string, bool)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimLeft(lines.Text(), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := addEnv(list, line, env); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return lines.Err()
}

func parseOutputMax(s string) (int64, error) {
	if s == "-1" {
		return -1, nil
	}
	n, err := units.RAMInBytes(s)
	if err != nil || n <= 0 {
		return 0, errors.New("give a size such as 64m, or -1 for all")
	}
	return n, nil
}

func addLabel(o *host.ContainerOptions, s string) error {
	name, value, _ := strings.Cut(s, "=")
	if name == "" {
		return fmt.Errorf("label %q is not of the form NAME=VALUE", s)
	}
	if o.Labels == nil {
		o.Labels = map[string]string{}
	}
	o.Labels[name] = value
	return nil
}
