package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/cli"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = cli.Command(cli.Executors, 10, executorsCommand)

func executorsCommand(a *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "executors [flags]",
		Short: "List installed executors, or describe one",
		Long: `List the executors in the directories that the config names; without a config,
those beside davit and in /usr/libexec/davit. Each is started for a moment to
describe itself; neither a host nor its backends need to run.`,
		Example: "  davit executors\n  davit executors --config ./davit.hcl --json\n  davit executors describe containerd",
		Args:    cli.NoSuchSubcommand,
	}
	path := configFlag(cmd)
	form := cli.FormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := executorConfig(a, cmd, *path)
		if err != nil {
			return err
		}
		infos := host.Executors(cmd.Context(), cfg)
		if *form == cli.AsJSON {
			return cli.PrintJSON(a.Stdout, append([]host.ExecutorInfo{}, infos...))
		}
		if len(infos) == 0 {
			fmt.Fprintf(a.Stderr, "no executor is installed in %s\n", strings.Join(cfg.ExecutorDirs, ", "))
		}
		header, rows := []string{"NAME", "VERSION", "PROTOCOL", "PATH"}, make([][]string, len(infos))
		problems := slices.ContainsFunc(infos, func(info host.ExecutorInfo) bool { return info.Problem != "" })
		if problems {
			header = append(header, "PROBLEM")
		}
		for i, info := range infos {
			rows[i] = []string{info.Name, info.Version, cli.Number(info.Protocol), info.Path}
			if problems {
				rows[i] = append(rows[i], info.Problem)
			}
		}
		return cli.PrintFitted(a.Stdout, header, rows, nil, []string{"PROTOCOL"})
	}
	cmd.AddCommand(describeCommand(a))
	return cmd
}

func describeCommand(a *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe [flags] (NAME | PATH)",
		Short: "Print the version, capabilities, config and runtime options of an executor",
		Long: `Print the description of an executor: its version and capabilities, and the
attributes that a backend's config and runtime blocks may have. NAME is looked up
in the directories that the config names; a PATH has a slash in it.`,
		Example: "  davit executors describe containerd\n  davit executors describe ./davit-executor-hello --json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("no executor is given; usage: %s", cmd.UseLine())
			}
			return cli.AtMost(1)(cmd, args)
		},
	}
	path := configFlag(cmd)
	form := cli.FormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		info, err := describe(a, cmd, *path, args[0])
		if err != nil {
			return err
		}
		if *form == cli.AsJSON {
			return cli.PrintJSON(a.Stdout, info)
		}
		return printDescription(a.Stdout, info)
	}
	return cmd
}

// describe asks the executor with a name, or at a path.
func describe(a *cli.App, cmd *cobra.Command, configPath, which string) (host.ExecutorInfo, error) {
	if strings.Contains(which, "/") {
		return describeFile(cmd.Context(), which)
	}
	cfg, err := executorConfig(a, cmd, configPath)
	if err != nil {
		return host.ExecutorInfo{}, err
	}
	return host.Describe(cmd.Context(), cfg, which)
}

// executorConfig loads the config that says where executors are.
func executorConfig(a *cli.App, cmd *cobra.Command, path string) (config.Config, error) {
	cfg, diags, name := loadConfig(cmd, path)
	if diags.HasErrors() {
		return *cfg, errors.Join(diags.WriteText(a.Stderr), refusal(name, diags))
	}
	return cfg.WithDefaults(), nil
}

func describeFile(ctx context.Context, path string) (host.ExecutorInfo, error) {
	path, err := existing(path)
	if err != nil {
		return host.ExecutorInfo{}, err
	}
	return host.DescribeFile(ctx, path)
}

// printDescription prints the description of an executor. This output is the project's
// documentation of executors.
func printDescription(w io.Writer, info host.ExecutorInfo) error {
	fmt.Fprintf(w, "%s %s, protocol %d, %s\n", cli.Printable(info.Name), cli.Printable(info.Version), info.Protocol, cli.Printable(info.Path))
	caps := "known only of an open backend (davit backends --json)"
	if len(info.Capabilities) > 0 {
		var names []string
		for _, c := range info.Capabilities {
			names = append(names, string(c))
		}
		caps = strings.Join(names, ", ")
	}
	fmt.Fprintf(w, "capabilities: %s\n", cli.Printable(caps))
	if err := printSchema(w, "config", info.Config); err != nil {
		return err
	}
	if info.Runtime == nil {
		_, err := fmt.Fprintln(w, "\nruntime: this executor has no runtimes")
		return err
	}
	return printSchema(w, "runtime", *info.Runtime)
}

// printSchema prints the attributes of a block, and of the blocks in it.
func printSchema(w io.Writer, block string, s executor.Schema) error {
	if len(s.Attributes) == 0 && len(s.Blocks) == 0 {
		_, err := fmt.Fprintf(w, "\n%s: no attributes\n", block)
		return err
	}
	fmt.Fprintf(w, "\n%s:\n", cli.Printable(block))
	rows := make([][]string, len(s.Attributes))
	for i, attr := range s.Attributes {
		rows[i] = []string{"  " + attr.Name, string(attr.Type), defaultOf(attr), attr.Description + oneOf(attr.Enum)}
	}
	if err := cli.PrintTable(w, []string{"  ATTRIBUTE", "TYPE", "DEFAULT", "DESCRIPTION"}, rows); err != nil {
		return err
	}
	for _, b := range s.Blocks {
		if err := printSchema(w, block+" "+b.Name, b.Schema); err != nil {
			return err
		}
	}
	return nil
}

func defaultOf(attr executor.Attribute) string {
	if attr.Required {
		return "(required)"
	}
	if attr.Default == nil || !json.Valid(attr.Default) {
		return ""
	}
	return string(attr.Default)
}

// oneOf describes the allowed values.
func oneOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return " (one of " + strings.Join(values, ", ") + ")"
}
