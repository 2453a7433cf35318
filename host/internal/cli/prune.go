package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
)

var (
	_ = Command(Containers, 95, (*App).pruneCommand)
	_ = Command(Host, 45, (*App).systemCommand)
)

func (a *App) pruneCommand() *cobra.Command {
	var opts api.PruneOptions
	var older Seconds
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove all containers that have ended, with their output",
		Long: `Remove all containers that have ended and that no restart policy will start again,
with their output, and the directories of containers whose records are lost and that
no backend has. What runs is never removed.

The config removes ended containers by itself, after 30 days unless it says otherwise:
see "retention" in it.`,
		Example: "  davit prune --dry-run\n  davit prune --older 24h",
		Args:    AtMost(0),
	}
	cmd.Flags().Var(&older, "older", "only those that have ended longer ago than a `DURATION` or seconds")
	cmd.Flags().BoolVarP(&opts.DryRun, "dry-run", "n", false, "only print what would be removed")
	cmd.Flags().Func("filter", "the same as --older, as `until=DURATION`", func(s string) error {
		d, ok := strings.CutPrefix(s, "until=")
		if !ok {
			return errors.New("it is not of the form until=DURATION, such as until=24h")
		}
		return older.Set(d)
	})
	unaskedFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		opts.Older = older.Or(0)
		done, err := a.Client().Prune(cmd.Context(), opts)
		if err != nil {
			return err
		}
		for _, c := range done.Containers {
			fmt.Fprintln(a.Stdout, c.ID)
		}
		a.freed(done.Bytes, opts.DryRun, "")
		return nil
	}
	return cmd
}

func (a *App) systemCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "system",
		Short:   "Show what the host uses",
		Example: "  davit system df",
	}
	df := &cobra.Command{
		Use:     "df [flags]",
		Short:   "Show how much of the disk output and volumes take",
		Example: "  davit system df\n  davit system df --format json",
		Args:    AtMost(0),
	}
	form := FormatFlag(df)
	df.RunE = func(cmd *cobra.Command, _ []string) error {
		usage, err := a.Client().DiskUsage(cmd.Context())
		if err != nil {
			return err
		}
		if *form == AsJSON {
			return PrintJSON(a.Stdout, usage)
		}
		if err := PrintFitted(a.Stdout, []string{"ID", "NAME", "STATE", "SIZE", "RECLAIMABLE"}, usageRows(usage, time.Now()), []string{"NAME"}, nil); err != nil || len(usage.Volumes) == 0 {
			return err
		}
		fmt.Fprintln(a.Stdout)
		return PrintFitted(a.Stdout, []string{"VOLUME NAME", "CONTAINERS", "SIZE", "RECLAIMABLE"}, volumeUsageRows(usage.Volumes), []string{"VOLUME NAME"}, nil)
	}
	cmd.AddCommand(df)
	return cmd
}

// usageRows returns a row for each container, and one for their sum.
func usageRows(usage api.DiskUsage, now time.Time) [][]string {
	var rows [][]string
	var total, free int64
	for _, c := range usage.Containers {
		state, reclaimable := "in use", int64(0)
		switch {
		case c.Lost:
			state, reclaimable = "record lost", c.Bytes
		case c.Ended:
			state, reclaimable = "ended "+ago(c.EndedAt, now), c.Bytes
		}
		total, free = total+c.Bytes, free+reclaimable
		rows = append(rows, []string{api.ShortID(c.ID), c.Name, state, size(c.Bytes), size(reclaimable)})
	}
	return append(rows, []string{"total", "", "", size(total), size(free)})
}

// volumeUsageRows returns a row for each volume, and one for their sum.
func volumeUsageRows(usage []api.VolumeUsage) [][]string {
	var rows [][]string
	var total, free int64
	for _, v := range usage {
		reclaimable := int64(0)
		if v.Containers == 0 {
			reclaimable = v.Bytes
		}
		total, free = total+v.Bytes, free+reclaimable
		rows = append(rows, []string{v.Name, Number(v.Containers), size(v.Bytes), size(reclaimable)})
	}
	return append(rows, []string{"total", "", size(total), size(free)})
}

// freed says how much of the disk a removal has freed, or would free, and what is to be added
// to that.
func (a *App) freed(bytes int64, dry bool, add string) {
	what := "freed"
	if dry {
		what = "would be freed" + add
	}
	fmt.Fprintf(a.Stderr, "%s %s\n", size(bytes), what)
}

func size(n int64) string { return units.BytesSize(float64(n)) }
