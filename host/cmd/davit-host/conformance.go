package main

import (
	"cmp"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/cli"
	"github.com/davit-run/davit/host/internal/places"
	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/conformance/workload"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

// workloadCommand is the hidden command that makes davit a workload of the suite.
const workloadCommand = "conformance-workload"

// conformanceFlags are the flags of `davit conformance`.
type conformanceFlags struct {
	rootfs, spec          string
	process               bool
	config, backend       string
	runtime, image        string
	only                  []string
	skip                  map[string]string
	patience              time.Duration
	workloads, outputSize int
	list                  bool
}

var (
	_ = cli.Command(cli.Executors, 20, conformanceCommand)
	_ = cli.Command(cli.Hidden, 0, newWorkloadCommand)
)

func conformanceCommand(a *cli.App) *cobra.Command {
	var flags conformanceFlags
	cmd := &cobra.Command{
		Use:   "conformance [flags] PATH",
		Short: "Test whether an executor honours the contract",
		Long: `Test whether the executor at PATH honours the contract of a davit executor. Each
check proves one duty, or one capability that the executor declares: the executor
is started with directories of its own, made to run workloads, killed, and started
again. It needs no host, and what it made is removed.

By default workloads are OCI containers whose root file system holds nothing but
davit itself. --rootfs names another one, with a shell; --process is for executors
that run commands on this machine; and --spec is for all others. It names an OCI
spec as JSON, whose process.args begin the command line of a program made of
package shared/conformance/workload: "$SCRATCH" in it stands for a directory that
the workload has to see, at the destination of the mount of which it is the source.

The settings of the backend come from --config, whose one backend, or the one
named by --backend, is taken; its runtime is --runtime or the default. The exit
code is 1 if a check failed.`,
		Example: `  davit conformance ./davit-executor-mine
  davit conformance --process ./davit-executor-hello
  davit conformance --config davit.hcl --backend main --runtime crun /usr/libexec/davit/davit-executor-containerd
  davit conformance --only 'create*,restart-many' --json ./davit-executor-mine`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !flags.list {
				return fmt.Errorf("no executor is given; usage: %s", cmd.UseLine())
			}
			return cli.AtMost(1)(cmd, args)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&flags.rootfs, "rootfs", "", "use the root file system in `DIR`, which has /bin/sh, seq and sleep")
	f.BoolVar(&flags.process, "process", false, "the executor runs commands on this machine, not containers")
	f.StringVar(&flags.spec, "spec", "", "make the specs of workloads from the template in `FILE`")
	cmd.MarkFlagsMutuallyExclusive("rootfs", "process", "spec")
	f.StringVarP(&flags.config, "config", "c", "", "take the backend's settings from the config at `PATH`")
	f.StringVar(&flags.backend, "backend", "", "`NAME` of the backend in the config, if it has several")
	f.StringVar(&flags.runtime, "runtime", "", "`NAME` of the runtime of the workloads")
	f.StringVar(&flags.image, "image", "", "`NAME` of an image that the backend has, for the checks about images of its own")
	f.StringSliceVar(&flags.only, "only", nil, "make only the `CHECKS` with these names or patterns, such as exit*")
	f.StringToStringVar(&flags.skip, "skip", nil, "skip a check: `CHECK=REASON`")
	f.DurationVar(&flags.patience, "patience", 30*time.Second, "wait `DURATION` for what must happen")
	f.IntVar(&flags.workloads, "workloads", 16, "run `N` workloads at once at most")
	f.IntVar(&flags.outputSize, "output", 20<<20, "have one workload write `BYTES` at most")
	f.Lookup("skip").DefValue = "" // is printed as []
	f.BoolVar(&flags.list, "list", false, "list the checks and their duties, and make none")
	form := cli.FormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if flags.list {
			return listChecks(a, *form)
		}
		return runConformance(cmd.Context(), a, flags, args[0], *form)
	}
	return cmd
}

func newWorkloadCommand(*cli.App) *cobra.Command {
	return &cobra.Command{
		Use:                workloadCommand + " STEPS",
		Short:              "Be a workload of davit conformance",
		Example:            "  davit " + workloadCommand + " print stdout hello ';' exit 3",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return &cli.ExitError{Code: workload.Main(args)}
		},
	}
}

// runConformance makes the checks and prints the report.
func runConformance(ctx context.Context, a *cli.App, flags conformanceFlags, path string, form cli.Format) error {
	path, err := existing(path)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// If the reader of the report goes away, this process must still remove what it made.
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	defer signal.Stop(pipes)
	info, err := describeFile(ctx, path)
	if err != nil { // each check would say no more
		return fmt.Errorf("%s is no executor that can be tested: %w", path, err)
	}
	dir, err := os.MkdirTemp("", "davit-conformance")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	target := conformance.Target{
		Binary: path, Runtime: flags.runtime, Image: flags.image, Only: flags.only, Skip: flags.skip,
		Patience: flags.patience, Workloads: flags.workloads, OutputBytes: flags.outputSize,
	}
	if target.Spec, err = flags.specs(dir); err != nil {
		return err
	}
	if flags.config != "" || flags.backend != "" {
		if target.Settings, err = settings(a, flags, info); err != nil {
			return err
		}
	}
	out := newConformanceReport(a.Stdout, form, info)
	report, err := conformance.Run(ctx, target, func(r conformance.Result) {
		if ctx.Err() == nil && out.show(r) != nil { // the remaining checks fail fast, and nobody reads them
			stop()
		}
	})
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "conformance: "))
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err := out.end(report); err != nil {
		return err
	}
	if report.Count(conformance.Failed) > 0 {
		return &cli.ExitError{Code: cli.ExitFailed}
	}
	return nil
}

// specs returns the function that makes the specs of workloads. dir is for a root file
// system.
func (flags conformanceFlags) specs(dir string) (func(conformance.Program, string) (json.RawMessage, error), error) {
	if flags.rootfs != "" {
		rootfs, err := existing(flags.rootfs)
		return conformance.OCI(rootfs), err
	}
	if flags.spec != "" {
		template, err := os.ReadFile(flags.spec)
		if err != nil {
			return nil, err
		}
		spec, err := conformance.Template(template)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flags.spec, err)
		}
		return spec, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if flags.process {
		return conformance.Command(self, workloadCommand), nil
	}
	if static, err := isStatic(self); err != nil || !static {
		return nil, errors.Join(err, errors.New("this davit is linked dynamically and cannot run in an empty root file system: give --rootfs, or build it with CGO_ENABLED=0"))
	}
	rootfs := filepath.Join(dir, "rootfs")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(rootfs, 0o755)); err != nil {
		return nil, err
	}
	return conformance.OCI(rootfs, "/bin/workload", workloadCommand), conformance.ProgramRootfs(rootfs, self)
}

// isStatic reports whether a program needs no dynamic linker.
func isStatic(path string) (bool, error) {
	f, err := elf.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return !slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }), nil
}

// settings returns the settings of the backend that the flags name.
func settings(a *cli.App, flags conformanceFlags, info host.ExecutorInfo) (executor.Settings, error) {
	path := cmp.Or(flags.config, places.Config())
	cfg, diags := config.Load(path)
	if diags.HasErrors() {
		return executor.Settings{}, errors.Join(diags.WriteText(a.Stderr), refusal(path, diags))
	}
	name := cmp.Or(flags.backend, cfg.WithDefaults().DefaultBackend)
	b := cfg.Backend(name)
	switch {
	case name == "":
		return executor.Settings{}, fmt.Errorf("%s has several backends: name one of them with --backend", path)
	case b == nil:
		return executor.Settings{}, fmt.Errorf("%s has no backend %q", path, name)
	case b.Executor != info.Name:
		return executor.Settings{}, fmt.Errorf("backend %q is of the executor %q, but %s is %q", name, b.Executor, info.Path, info.Name)
	}
	settings, diags := b.Decode(info.Description)
	if diags.HasErrors() {
		return settings, errors.Join(diags.WriteText(a.Stderr), refusal(path, diags))
	}
	return settings, nil
}

// existing returns the absolute path of a file that must exist.
func existing(path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	return filepath.Abs(path)
}
