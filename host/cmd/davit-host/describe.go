package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/cli"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

var _ = cli.Command(cli.Host, 55, configCommand)

func configCommand(a *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Describe what a config may have",
		Example: "  davit config describe",
	}
	describe := &cobra.Command{
		Use:   "describe [flags]",
		Short: "Print all attributes and blocks of a config, with their defaults",
		Long: `Print all attributes and blocks that a config of the host may have, with their types,
defaults and meaning. What the config and runtime blocks of a backend may have depends
on its executor: ` + "`davit executors describe NAME`" + ` prints that.`,
		Example: "  davit config describe\n  davit config describe --json\n  davit config describe --markdown >config.md",
		Args:    cli.AtMost(0),
	}
	form := cli.FormatFlag(describe)
	markdown := describe.Flags().Bool("markdown", false, "print a page in Markdown")
	describe.RunE = func(*cobra.Command, []string) error {
		switch reference := config.Reference(); {
		case *markdown:
			return writePage(a.Stdout, reference)
		case *form == cli.AsJSON:
			return cli.PrintJSON(a.Stdout, reference)
		default:
			return printReference(a.Stdout, "", "", reference)
		}
	}
	cmd.AddCommand(describe)
	return cmd
}

// printReference prints the attributes of a block and of the blocks in it.
func printReference(w io.Writer, block, description string, s executor.Schema) error {
	head := "in the file"
	if block != "" {
		head = block + " { }"
	}
	if description != "" {
		head += ": " + description
	}
	fmt.Fprintln(w, head)
	rows := make([][]string, len(s.Attributes))
	for i, attr := range s.Attributes {
		rows[i] = []string{"  " + attr.Name, string(attr.Type), defaultOf(attr), attr.Description + oneOf(attr.Enum)}
	}
	if len(rows) > 0 {
		if err := cli.PrintTable(w, []string{"  ATTRIBUTE", "TYPE", "DEFAULT", "DESCRIPTION"}, rows); err != nil {
			return err
		}
	}
	for _, b := range s.Blocks {
		fmt.Fprintln(w)
		if err := printReference(w, strings.TrimSpace(block+" "+b.Name), b.Description, b.Schema); err != nil {
			return err
		}
	}
	return nil
}

const pageHead = `# The config

<!-- This page is what ` + "`davit config describe --markdown`" + ` prints. -->

A config is a file in HCL, or a directory with files ` + "`*.hcl`" + ` which make one config together;
` + "`/etc/davit`" + `, or without root ` + "`~/.config/davit`" + `, unless ` + "`--config`" + ` says otherwise. All values
are literal. Only a backend and its executor are needed. ` + "`davit validate`" + ` checks a config, and
` + "`davit reload`" + ` applies what has changed while containers run on: all but ` + "`state_dir`" + `, ` + "`run_dir`" + `,
` + "`cgroup`" + `, ` + "`api.socket`" + `, ` + "`api.tls.listen`" + `, ` + "`log.format`" + ` and ` + "`network.enabled`" + `, which take a
restart of the host.
`

// writePage writes the reference as a page.
func writePage(w io.Writer, s executor.Schema) error {
	var page strings.Builder
	page.WriteString(pageHead)
	writeSection(&page, "", "", s)
	_, err := io.WriteString(w, page.String())
	return err
}

func writeSection(page *strings.Builder, block, description string, s executor.Schema) {
	if block != "" {
		fmt.Fprintf(page, "\n## %s\n\n%s.\n", block, strings.ToUpper(description[:1])+description[1:])
	}
	if len(s.Attributes) > 0 {
		page.WriteString("\n| attribute | type | default | what it is |\n| --- | --- | --- | --- |\n")
	}
	for _, attr := range s.Attributes {
		value := defaultOf(attr)
		if value != "" && !attr.Required {
			value = "`" + value + "`"
		}
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", attr.Name, attr.Type, value, attr.Description+oneOf(attr.Enum))
	}
	for _, b := range s.Blocks {
		writeSection(page, strings.TrimSpace(block+" "+b.Name), b.Description, b.Schema)
	}
}
