package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/docker/go-units"
	"github.com/spf13/pflag"
)

// runFlags are the flags of `davit run` and `davit create`.
type runFlags struct {
	opts    api.ContainerOptions
	streams streamFlags
	detach  bool
	fileEnv []string // from --env-file, which --env overrides
	stop    Seconds
	// entrypoint comes before the arguments, fileLabels are from --label-file, which
	// --label overrides, and cidfile receives the id.
	entrypoint string
	fileLabels map[string]string
	cidfile    string
	// pull and platform are about the image.
	pull     pullPolicy
	platform string
	quiet    bool
}

func (f *runFlags) register(fs *pflag.FlagSet, env func(string) (string, bool)) {
	fs.SetInterspersed(false) // what follows the command's name is the command's
	fs.SortFlags = false
	o, p := &f.opts, &f.opts.Process
	fs.Var((*filled)(&o.Rootfs), "rootfs", "`DIR` with the root file system, which it writes to; DIR:O gives it a layer of its own")
	fs.Var((*filled)(&o.Bundle), "bundle", "`DIR` of an OCI bundle: config.json and a root file system")
	f.pull = pullMissing
	fs.Var(&f.pull, "pull", "`WHEN` to pull the image: missing, always or never")
	fs.StringVar(&f.platform, "platform", "", "`PLATFORM` of the image to pull, such as linux/arm64 (default: the host's)")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "do not show the progress of a pull")
	fs.Var((*filled)(&o.ImageStore), "image-store", "`STORE` of the image: host, or backend for one that the backend has (default: the config's)")
	fs.Var((*filled)(&o.Backend), "backend", "`NAME` of the backend (default: the host's)")
	fs.Var((*filled)(&o.Runtime), "runtime", "`NAME` of the runtime (default: the backend's)")
	f.streams.inputFlags(fs)
	fs.Var((*filled)(&o.Name), "name", "`NAME` of the container")
	fs.BoolVar(&o.AutoRemove, "rm", false, "remove the container, and its anonymous volumes, when it has ended")
	fs.FuncP("env", "e", "environment `VARIABLE` NAME[=VALUE]; without a value, davit's own", func(s string) error {
		return addEnv(&p.Env, s, env)
	})
	fs.Func("env-file", "`FILE` with an environment variable on each line", func(s string) error {
		return readEnv(&f.fileEnv, s, env)
	})
	fs.Var((*filled)(&f.entrypoint), "entrypoint", "`PROGRAM` to run, with the arguments as its own")
	fs.VarP((*filled)(&p.Cwd), "workdir", "w", "working `DIR` in the container")
	fs.VarP((*filled)(&p.User), "user", "u", "`USER` to run as: USER[:GROUP], names or numbers")
	fs.VarP((*filled)(&p.Hostname), "hostname", "h", "host `NAME` in the container")
	fs.Bool("help", false, "help for this command") // without -h, as in docker
	networkFlags(fs, o)
	publishFlags(fs, o)
	fs.FuncP("volume", "v", "`MOUNT` DIR:TARGET[:ro] of a directory, or NAME:TARGET[:ro] of a volume, or TARGET", func(s string) error {
		m, err := ocispec.ParseVolume(s)
		p.Mounts = append(p.Mounts, m)
		return err
	})
	fs.Func("mount", "`MOUNT`, as type=bind,source=/a,target=/b or type=volume,target=/b, with readonly or not", func(s string) error {
		m, err := ocispec.ParseMount(s)
		p.Mounts = append(p.Mounts, m)
		return err
	})
	fs.Func("tmpfs", "`MOUNT` TARGET[:OPTIONS] of a file system in memory, with options such as size=64m", func(s string) error {
		m, err := ocispec.ParseTmpfs(s)
		p.Mounts = append(p.Mounts, m)
		return err
	})
	fs.Func("volumes-from", "`CONTAINER`[:ro] whose volumes and bind mounts it has, too; may be repeated", appendTo(&o.VolumesFrom))
	fs.BoolVar(&p.ReadOnly, "read-only", false, "make the root file system read-only")
	limitFlags(fs, p)
	sizeFlag(fs, &p.ShmBytes, "shm-size", "`SIZE` of /dev/shm (default 64m)")
	insideFlags(fs, p)
	diskFlags(fs, p)
	fs.FuncP("label", "l", "`LABEL` NAME[=VALUE], for people and programs", func(s string) error { return addLabel(&o.Labels, s) })
	fs.Func("label-file", "`FILE` with a label on each line", func(s string) error { return readLabels(&f.fileLabels, s) })
	fs.Func("annotation", "`ANNOTATION` NAME=VALUE of the OCI spec, for the runtime", func(s string) error { return addAnnotation(p, s) })
	fs.Var((*filled)(&o.Restart), "restart", "restart `POLICY`: no, on-failure[:N], always or unless-stopped")
	healthFlags(fs, &o.HealthCheck)
	fs.Func("stop-signal", "`SIGNAL` with which to stop it (default TERM)", func(s string) (err error) {
		o.StopSignal, err = api.ParseSignal(s)
		return err
	})
	fs.Var(&f.stop, "stop-timeout", "`DURATION` or seconds from the stop signal to killing it (default 10s)")
	fs.Func("start-timeout", "`DURATION` or seconds that its start may take, with its hooks (default: the backend's)", func(s string) error {
		var d Seconds
		err := d.Set(s)
		if o.StartTimeout = d.Or(0); err == nil && o.StartTimeout <= 0 {
			err = errors.New("give more than 0; the default is start_timeout of the backend, or 5m")
		}
		return err
	})
	fs.Var((*filled)(&f.cidfile), "cidfile", "`FILE` to make, with the container's id")
	fs.BoolVar(&o.MergeOutput, "merge-output", false, "keep stdout and stderr as one stream, in their order")
	fs.Func("output-max", "how much of each output stream is kept, a `SIZE` such as 64m; -1 is all (default: the host's)", func(s string) (err error) {
		o.OutputMax, err = parseOutputMax(s)
		return err
	})
}

// parsed returns the options that the flags and arguments set, and the file of --cidfile,
// which the caller closes.
func (f *runFlags) parsed(args []string) (opts api.ContainerOptions, ids *cidfile, err error) {
	if opts, err = f.options(args); err == nil {
		ids, err = newCidfile(f.cidfile)
	}
	return opts, ids, err
}

// options returns the options that the flags and arguments set.
func (f *runFlags) options(args []string) (api.ContainerOptions, error) {
	o := f.opts
	switch {
	case o.Rootfs == "" && o.Bundle == "" && len(args) == 0:
		return o, errors.New("nothing to run: give an image, or --rootfs DIR and a command, or --bundle DIR")
	case o.Rootfs != "" && o.Bundle != "":
		return o, errors.New("both --rootfs and --bundle are given; use one")
	case o.Rootfs != "" && len(args) == 0 && f.entrypoint == "":
		return o, errors.New("no command is given; write it after the flags: davit run --rootfs DIR CMD [ARG...]")
	}
	if o.HealthCheck != nil {
		if err := o.HealthCheck.Validate(); err != nil { // before anything is pulled
			return o, err
		}
	}
	image := o.Rootfs == "" && o.Bundle == ""
	if image {
		o.Image, args = args[0], args[1:]
	}
	o.Rootfs, o.RootfsOverlay = cutOverlay(o.Rootfs)
	o.Process.Args = args
	switch {
	case f.entrypoint != "" && image:
		o.Entrypoint = []string{f.entrypoint}
	case f.entrypoint != "":
		o.Process.Args = append([]string{f.entrypoint}, args...)
	}
	if len(f.fileLabels) > 0 {
		labels := f.fileLabels
		maps.Copy(labels, o.Labels)
		o.Labels = labels
	}
	o.Process.Env = append(f.fileEnv, o.Process.Env...)
	o.StopTimeout = f.stop.Duration
	o.Stdin, o.Terminal, o.KeepInput = f.streams.stdin, f.streams.terminal, f.streams.stdin && f.detach
	return o, errors.Join(absolute(&o.Rootfs), absolute(&o.Bundle))
}

// cutOverlay splits DIR:O, as podman has it: a container gets a layer of its own over the
// directory. One whose own name ends so needs a slash after it.
func cutOverlay(rootfs string) (dir string, overlay bool) {
	dir, overlay = strings.CutSuffix(rootfs, ":O")
	return cmp.Or(dir, rootfs), overlay && dir != ""
}

// absolute makes a path absolute: the host does not know this program's working
// directory.
func absolute(path *string) (err error) {
	if *path != "" {
		*path, err = filepath.Abs(*path)
	}
	return err
}

// parsePidsLimit parses a limit. 0 is none, as in docker: to the host it would mean that
// nothing is said.
func parsePidsLimit(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || n < -1:
		return 0, errors.New("give a number, or -1 for no limit")
	case n == 0:
		return -1, nil
	}
	return n, nil
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

func addLabel(labels *map[string]string, s string) error {
	name, value, _ := strings.Cut(s, "=")
	if name == "" {
		return fmt.Errorf("label %q is not of the form NAME=VALUE", s)
	}
	if *labels == nil {
		*labels = map[string]string{}
	}
	(*labels)[name] = value
	return nil
}

// readLabels reads a file with a label on each line.
func readLabels(labels *map[string]string, path string) error {
	return eachLine(path, func(line string) error { return addLabel(labels, line) })
}

func addAnnotation(o *ocispec.Options, s string) error {
	name, value, ok := strings.Cut(s, "=")
	if name == "" || !ok {
		return fmt.Errorf("annotation %q is not of the form NAME=VALUE", s)
	}
	if o.Annotations == nil {
		o.Annotations = map[string]string{}
	}
	o.Annotations[name] = value
	return nil
}

// filled is the value of a flag that is not empty. An empty one is most likely that of a
// variable that is not set; to take it for none could mean something else, such as root.
type filled string

func (f *filled) Type() string   { return "string" }
func (f *filled) String() string { return string(*f) }

// Set implements pflag.Value.
func (f *filled) Set(s string) error {
	if s == "" {
		return errors.New("it is empty; leave the flag out if that is meant")
	}
	*f = filled(s)
	return nil
}
