package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
)

var _ = Command(Containers, 34, (*App).statsCommand)

// statsPause is how long processor time is measured for one line of stats.
const statsPause = time.Second

func (a *App) statsCommand() *cobra.Command {
	var o statsOptions
	cmd := &cobra.Command{
		Use:   "stats [flags] [CONTAINER...]",
		Short: "Show what containers use, of all that run if none is named",
		Long: `Show what containers use, again each second. Without names these are all that run.

CPU is in percent of one processor, over the last second. Memory is without pages of
files that nothing has used for a while. Net I/O is what the container has received and
sent on its networks; what passes the network of the machine is not its own.`,
		Example: "  davit stats\n  davit stats --no-stream web db\n  davit stats --format json",
	}
	cmd.Flags().BoolVarP(&o.all, "all", "a", false, "also those that do not run")
	cmd.Flags().BoolVar(&o.once, "no-stream", false, "show it once")
	cmd.Flags().BoolVar(&o.full, "no-trunc", false, "do not shorten ids and names")
	a.patienceFlag(cmd)
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.form = *form
		return a.stats(cmd.Context(), args, o)
	}
	return cmd
}

// statsOptions are the flags of `davit stats`.
type statsOptions struct {
	all, once, full bool
	form            Format
}

// usage is what one container used between two looks.
type usage struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	api.Stats
	// CPUPercent is of one processor, since the look before.
	CPUPercent *float64 `json:"cpu_percent,omitempty"`
	// Error says why nothing is known.
	Error string `json:"error,omitempty"`
}

// stats shows what containers use, for as long as ctx lasts.
func (a *App) stats(ctx context.Context, refs []string, o statsOptions) error {
	screen := isTerminal(a.Stdout) && !o.once && o.form == AsTable
	var before map[string]usage
	var gone time.Time // since when the host is; zero while it is there
	for {
		now, err := a.measure(ctx, refs, o.all, before)
		switch {
		case ctx.Err() != nil:
			return nil
		case before != nil && !o.once && api.Unreachable(err) && (gone.IsZero() || time.Since(gone) < a.patience.Or(0)):
			if gone.IsZero() {
				gone = time.Now()
				a.complain(fmt.Errorf("the host is gone, waiting for it to come back: %w", err))
			}
			if !pause(ctx, statsPause) {
				return nil
			}
			continue
		case err != nil:
			return err
		case !gone.IsZero():
			gone = time.Time{}
			a.complain(errors.New("the host is back"))
		}
		first := before == nil
		before = make(map[string]usage, len(now))
		for _, u := range now {
			before[u.ID] = u
		}
		if !first {
			if screen {
				fmt.Fprint(a.Stdout, "\x1b[H\x1b[J")
			}
			if err := printUsage(a, now, o); err != nil || o.once {
				return err
			}
		}
		if !pause(ctx, statsPause) {
			return nil
		}
	}
}

// pause waits, and reports whether ctx has not ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// measure looks at containers: those that are named, or all that run, or all there are.
func (a *App) measure(ctx context.Context, refs []string, ended bool, before map[string]usage) ([]usage, error) {
	client := a.Client()
	all, err := client.List(ctx)
	if err != nil {
		return nil, err
	}
	chosen := map[string]bool{}
	for _, ref := range refs {
		c, err := client.Inspect(ctx, ref)
		if err != nil {
			return nil, err
		}
		chosen[c.ID] = true
	}
	all = slices.DeleteFunc(all, func(c api.Container) bool {
		if len(refs) > 0 {
			return !chosen[c.ID]
		}
		return !ended && c.State != api.StateRunning && c.State != api.StatePaused
	})
	list := make([]usage, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() {
			u := usage{ID: c.ID, Name: c.Name}
			var err error
			if u.Stats, err = client.Stats(ctx, c.ID); err != nil {
				u.Error = err.Error()
			}
			u.CPUPercent = percent(before[c.ID].Stats, u.Stats)
			list[i] = u
		})
	}
	wg.Wait()
	gone := func(u usage) bool {
		return u.Error != "" && len(refs) == 0 && u.At.IsZero() && !ended && hasEnded(ctx, client, u.ID)
	}
	return slices.DeleteFunc(list, gone), nil
}

// hasEnded reports whether a container has ended, or is removed.
func hasEnded(ctx context.Context, client *api.Client, id string) bool {
	c, err := client.Inspect(ctx, id)
	return errors.Is(err, executor.NotFound) || err == nil && c.State != api.StateRunning && c.State != api.StatePaused
}

// percent returns the processor time used between two looks, of one processor.
func percent(before, now api.Stats) *float64 {
	passed := now.At.Sub(before.At)
	if before.CPU == nil || now.CPU == nil || before.At.IsZero() || passed <= 0 || *now.CPU < *before.CPU {
		return nil
	}
	return new(100 * float64(*now.CPU-*before.CPU) / float64(passed))
}

// printUsage prints what containers use.
func printUsage(a *App, list []usage, o statsOptions) error {
	if o.form == AsJSON {
		return PrintJSON(a.Stdout, list)
	}
	size := func(n *uint64) string {
		if n == nil {
			return "-"
		}
		return units.CustomSize("%.4g%s", float64(*n), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"})
	}
	number := func(n *uint64) string {
		if n == nil {
			return "-"
		}
		return strconv.FormatUint(*n, 10)
	}
	rows, ids := make([][]string, len(list)), make([]string, len(list))
	for i, u := range list {
		ids[i] = u.ID
		if !o.full {
			ids[i] = api.ShortID(u.ID)
		}
		name := cmp.Or(u.Name, ids[i])
		if !o.full {
			name = shorten(name, 20)
		}
		cpu, memory := "", ""
		if u.CPUPercent != nil {
			cpu = fmt.Sprintf("%.1f%%", *u.CPUPercent)
		}
		if u.Memory != nil && u.MemoryLimit != nil && *u.MemoryLimit > 0 {
			memory = fmt.Sprintf("%.1f%%", 100*float64(*u.Memory)/float64(*u.MemoryLimit))
		}
		rows[i] = []string{
			name, cpu, size(u.Memory) + " / " + size(u.MemoryLimit), memory,
			number(u.Tasks), netIO(u.Network, size), size(u.BlockRead) + " / " + size(u.BlockWritten),
		}
	}
	more := func(i int) fields { // docker's names for the columns
		return fields{
			"Container": rows[i][0], "ID": ids[i], "Name": list[i].Name,
			"CPUPerc": rows[i][1], "MemUsage": rows[i][2], "MemPerc": rows[i][3], "PIDs": rows[i][4], "NetIO": rows[i][5], "BlockIO": rows[i][6],
		}
	}
	l := listing{
		header: []string{"CONTAINER", "CPU", "MEMORY / LIMIT", "MEM", "TASKS", "NET I/O", "READ / WRITTEN"}, rows: rows, items: list, more: more,
		dispensable: []string{"MEM", "TASKS", "READ / WRITTEN", "NET I/O"},
	}
	return l.print(a.Stdout, o.form)
}

// netIO returns what was received and sent, where that is known.
func netIO(links []api.Traffic, size func(*uint64) string) string {
	if len(links) == 0 {
		return size(nil) + " / " + size(nil)
	}
	var received, sent uint64
	for _, l := range links {
		received, sent = received+l.Received.Bytes, sent+l.Sent.Bytes
	}
	return size(&received) + " / " + size(&sent)
}
