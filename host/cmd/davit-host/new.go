package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/internal/cli"
	"github.com/spf13/cobra"
)

var _ = cli.Command(cli.Executors, 30, newCommand)

func newCommand(a *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "new",
		Short:   "Write the source of a new executor",
		Example: "  davit new executor mine",
		Args:    cli.NoSuchSubcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExecutorCommand(a))
	return cmd
}

func newExecutorCommand(a *cli.App) *cobra.Command {
	var s scaffold
	var dir string
	cmd := &cobra.Command{
		Use:   "executor [flags] NAME",
		Short: "Write a Go module with a whole executor",
		Long: `Write a Go module with an executor that works: it runs processes on this machine,
and passes davit conformance. It is meant to be changed into another one.

For as long as davit's module has no published version, the new module replaces it
by a directory, which is looked for above the working directory and above this
program; --replace names another one.`,
		Example: "  davit new executor mine\n  davit new executor mine --dir ./mine --module example.org/mine\n  davit new executor mine --replace ~/src/davit",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("no name is given; usage: %s", cmd.UseLine())
			}
			return cli.AtMost(1)(cmd, args)
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&dir, "dir", "", "write to `DIR`, which must be new or empty; davit-executor-NAME by default")
	cmd.Flags().StringVar(&s.Module, "module", "", "call the module `PATH`; example.com/davit-executor-NAME by default")
	cmd.Flags().StringVar(&s.Replace, "replace", "", "build with davit's source in `DIR`, in place of a published version")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		s.Name = args[0]
		if dir == "" {
			dir = "davit-executor-" + s.Name
		}
		if s.Module == "" {
			s.Module = "example.com/davit-executor-" + s.Name
		}
		if err := s.complete(dir, a.Build.Version); err != nil {
			return err
		}
		files, err := s.write(dir)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.Stdout, "%s: wrote %s\n", dir, joined(files))
		if s.Replace != "" {
			fmt.Fprintf(a.Stdout, "It builds with davit's source in %s: see the end of its README.md.\n", s.Replace)
		}
		fmt.Fprintf(a.Stdout, "\nNext:\n  cd %s\n", dir)
		if s.Replace == "" {
			fmt.Fprintln(a.Stdout, "  go mod tidy       # fetches davit")
		}
		fmt.Fprintf(a.Stdout, "  go test ./...     # is it right? each subtest is a duty of executors\n  go build -o davit-executor-%s .\n", s.Name)
		fmt.Fprintf(a.Stdout, "  davit validate --config davit.hcl\n  davit serve --config davit.hcl &\n")
		fmt.Fprintf(a.Stdout, "  davit --host run/davit.sock run --rootfs DIR sh -c 'echo $GREETING'\n\nDIR is a root file system with a shell.\n")
		return nil
	}
	return cmd
}

// checkout returns the directory with davit's source that contains one of the paths.
func checkout(paths ...string) string {
	for _, path := range paths {
		for dir := path; ; dir = filepath.Dir(dir) {
			if isCheckout(dir) {
				return dir
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return ""
}

// isCheckout reports whether dir contains davit's module.
func isCheckout(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "shared/executor/executor.go"))
	return err == nil && moduleOf(dir) == davitModule
}
