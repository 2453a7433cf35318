package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

// Set by the linker: -X main.version=… -X main.commit=….
var version, commit string

// build gives what this program was built from.
func build() api.Version {
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

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version [flags]",
		Short:   "Print the versions of this program and of the host",
		Example: "  davit version\n  davit version --format json",
		Args:    atMost(0),
	}
	form := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		client := a.client()
		host, err := client.Version(ctx)
		if *form == asJSON {
			both := map[string]any{"client": build()}
			if err == nil {
				both["host"] = host
			}
			return printJSON(a.stdout, both)
		}
		fmt.Fprintf(a.stdout, "davit  %s\n", versionLine(build()))
		if err != nil {
			fmt.Fprintf(a.stdout, "host   %s\n", printable(err.Error()))
			return nil
		}
		fmt.Fprintf(a.stdout, "host   %s, pid %d, id %s, at %s\n", versionLine(host), host.PID, host.HostID, a.socket)
		return nil
	}
	return cmd
}

func versionLine(v api.Version) string {
	line := v.Version
	if v.Commit != "" {
		line += " (commit " + v.Commit[:min(12, len(v.Commit))] + ")"
	}
	return line + ", " + v.Go
}
