package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

func (a *app) executorsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "executors [flags]",
		Short: "List installed executors, or describe one",
		Long: `List the executors in the directories that the config names; without a config,
those beside davit and in /usr/libexec/davit. Each is started for a moment to tell
about itself; neither a host nor its backends need to run.`,
		Example: "  davit executors\n  davit executors --config ./davit.hcl --json\n  davit executors describe containerd",
		Args:    noSuchSubcommand,
	}
	path := configFlag(cmd)
	form := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.executorConfig(cmd, *path)
		if err != nil {
			return err
		}
		infos := host.Executors(cmd.Context(), cfg)
		if *form == asJSON {
			return printJSON(a.stdout, append([]host.ExecutorInfo{}, infos...))
		}
		if len(infos) == 0 {
			fmt.Fprintf(a.stderr, "no executor is installed in %s\n", strings.Join(cfg.ExecutorDirs, ", "))
		}
		rows := make([][]string, len(infos))
		for i, info := range infos {
			rows[i] = []string{info.Name, info.Version, number(info.Protocol), info.Path, info.Problem}
		}
		return printTable(a.stdout, []string{"NAME", "VERSION", "PROTOCOL", "PATH", "PROBLEM"}, rows)
	}
	cmd.AddCommand(a.describeCommand())
	return cmd
}

func (a *app) describeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe [flags] (NAME | PATH)",
		Short: "Print the version, capabilities, config and runtime options of an executor",
		Long: `Print what an executor tells about itself: its version and capabilities, and the
attributes that a backend's config and runtime blocks may have. NAME is looked up
in the directories that the config names; a PATH has a slash in it.`,
		Example: "  davit executors describe containerd\n  davit executors describe ./davit-executor-hello --json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("no executor is given; usage: %s", cmd.UseLine())
			}
			return atMost(1)(cmd, args)
		},
	}
	path := configFlag(cmd)
	form := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		info, err := a.describe(cmd, *path, args[0])
		if err != nil {
			return err
		}
		if *form == asJSON {
			return printJSON(a.stdout, info)
		}
		return printDescription(a.stdout, info)
	}
	return cmd
}

// describe asks the executor with a name, or at a path.
func (a *app) describe(cmd *cobra.Command, configPath, which string) (host.ExecutorInfo, error) {
	if strings.Contains(which, "/") {
		return describeFile(cmd.Context(), which)
	}
	cfg, err := a.executorConfig(cmd, configPath)
	if err != nil {
		return host.ExecutorInfo{}, err
	}
	return host.Describe(cmd.Context(), cfg, which)
}

// noSuchSubcommand explains arguments where there should be none.
func noSuchSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return fmt.Errorf("unknown command %q; %s", args[0], suggest(args[0], names, cmd.CommandPath()))
}

// executorConfig loads the config that says where executors are.
func (a *app) executorConfig(cmd *cobra.Command, path string) (config.Config, error) {
	cfg, diags, name := loadConfig(cmd, path)
	if diags.HasErrors() {
		return *cfg, errors.Join(diags.WriteText(a.stderr), refusal(name, diags))
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

// printDescription prints what an executor tells about itself. The project's
// documentation of executors is this output.
func printDescription(w io.Writer, info host.ExecutorInfo) error {
	fmt.Fprintf(w, "%s %s, protocol %d, %s\n", printable(info.Name), printable(info.Version), info.Protocol, printable(info.Path))
	caps := "told only by an open backend (davit backends --json)"
	if len(info.Capabilities) > 0 {
		var names []string
		for _, c := range info.Capabilities {
			names = append(names, string(c))
		}
		caps = strings.Join(names, ", ")
	}
	fmt.Fprintf(w, "capabilities: %s\n", printable(caps))
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
	fmt.Fprintf(w, "\n%s:\n", printable(block))
	rows := make([][]string, len(s.Attributes))
	for i, attr := range s.Attributes {
		rows[i] = []string{"  " + attr.Name, string(attr.Type), defaultOf(attr), attr.Description + oneOf(attr.Enum)}
	}
	if err := printTable(w, []string{"  ATTRIBUTE", "TYPE", "DEFAULT", "DESCRIPTION"}, rows); err != nil {
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

// oneOf tells the allowed values.
func oneOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return " (one of " + strings.Join(values, ", ") + ")"
}
