package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

// build returns the version of this program.
func build(version, commit string) api.Version {
	v := api.Version{Version: version, Commit: commit, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if v.Version == "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	if v.Version == "" {
		v.Version = "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && v.Commit == "" {
			v.Commit = s.Value
		}
	}
	return v
}

var _ = Command(Host, 70, (*App).versionCommand)

func (a *App) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version [flags]",
		Short:   "Print the versions of this program and of the host",
		Example: "  davit version\n  davit version --format json\n  davit version -f '{{.host.version}}'",
		Args:    AtMost(0),
	}
	form := AsTable
	cmd.Flags().BoolFunc("json", "short for --format json", func(string) error { return form.Set(string(AsJSON)) })
	cmd.Flags().VarP(listFormat{&form}, "format", "f", "print a table, json, or what a Go `TEMPLATE` makes of it, such as '{{.host.version}}'")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		client := a.Client()
		there, err := client.Version(ctx)
		both := map[string]any{"client": a.Build}
		if err == nil {
			both["host"] = there
		}
		switch {
		case form == AsJSON:
			return PrintJSON(a.Stdout, both)
		case form.templated():
			both["host"] = there // a template may ask for the client alone
			l := listing{items: []map[string]any{both}, more: func(int) fields { return versionFields(a.Build, there) }}
			return errors.Join(l.print(a.Stdout, form), err)
		}
		fmt.Fprintf(a.Stdout, "davit  %s\n", versionLine(a.Build))
		if err != nil {
			fmt.Fprintf(a.Stdout, "host   %s\n", Printable(err.Error()))
			return nil
		}
		fmt.Fprintf(a.Stdout, "host   %s, pid %d, id %s, at %s\n", versionLine(there), there.PID, there.HostID, a.socket)
		return nil
	}
	return cmd
}

// versionFields are fields by the names that docker version has.
func versionFields(client, host api.Version) fields {
	of := func(v api.Version) map[string]any {
		return map[string]any{"Version": v.Version, "GitCommit": v.Commit, "GoVersion": v.Go}
	}
	return fields{"Client": of(client), "Server": of(host)}
}

func versionLine(v api.Version) string {
	line := v.Version
	if v.Commit != "" {
		line += " (commit " + v.Commit[:min(12, len(v.Commit))] + ")"
	}
	return line + ", " + v.Go
}
