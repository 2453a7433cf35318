package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

var _ = Command(Containers, 20, (*App).psCommand)

func (a *App) psCommand() *cobra.Command {
	var o psOptions
	var strays bool
	cmd := &cobra.Command{
		Use:     "ps [flags]",
		Aliases: []string{"ls", "list"},
		Short:   "List containers",
		Example: "  davit ps\n  davit ps -a --format json\n  davit ps -f label=app=web -f status=exited\n  davit rm $(davit ps -aq)\n  davit ps --format 'table {{.Names}}\\t{{.Status}}'\n  davit ps --strays",
		Args:    AtMost(0),
	}
	cmd.Flags().BoolVarP(&o.all, "all", "a", false, "also those that do not run")
	cmd.Flags().IntVarP(&o.last, "last", "n", -1, "the last `N` that were made, also those that have ended")
	cmd.Flags().BoolVarP(&o.latest, "latest", "l", false, "the last one that was made; short for -n 1")
	o.filters = filterFlag(cmd.Flags())
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "only the ids")
	cmd.Flags().BoolVar(&o.full, "no-trunc", false, "do not shorten ids, commands and messages")
	cmd.Flags().BoolVarP(&o.size, "size", "s", false, "show how much of the disk the output takes")
	cmd.Flags().BoolVar(&strays, "strays", false, "instead, what is left of containers whose records are lost")
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if strays {
			return a.psStrays(cmd.Context(), o.quiet, o.full, *form)
		}
		o.form = *form
		return a.ps(cmd.Context(), o)
	}
	return cmd
}

// psOptions are the flags of `davit ps`.
type psOptions struct {
	all, latest, quiet, full, size bool
	last                           int // how many, at most; -1 is all
	filters                        filters
	form                           Format
}

// list returns the containers that are asked for, oldest first.
func (o psOptions) list(ctx context.Context, client *api.Client) ([]api.Container, error) {
	containers, err := client.List(ctx)
	if err != nil {
		return nil, err
	}
	if o.latest {
		o.last = 1
	}
	if !o.all && o.last < 0 && !o.filters.ended() {
		containers = slices.DeleteFunc(containers, func(c api.Container) bool {
			return c.State == api.StateExited || c.State == api.StateFailed || c.State == api.StateCreated
		})
	}
	containers, err = o.filters.apply(ctx, client, containers)
	if o.last >= 0 {
		containers = containers[max(0, len(containers)-o.last):]
	}
	return containers, err
}

func (a *App) ps(ctx context.Context, o psOptions) error {
	client := a.Client()
	containers, err := o.list(ctx, client)
	if err != nil {
		return err
	}
	sizes := map[string]int64{}
	if o.size {
		used, err := client.DiskUsage(ctx)
		if err != nil {
			return err
		}
		for _, c := range used.Containers {
			sizes[c.ID] = c.Bytes
		}
	}
	id := api.ShortID
	if o.full {
		id = func(id string) string { return id }
	}
	switch {
	case o.quiet:
		for _, c := range containers {
			fmt.Fprintln(a.Stdout, id(c.ID))
		}
		return nil
	case o.form == AsJSON:
		return PrintJSON(a.Stdout, containers)
	}
	slices.Reverse(containers) // people look for the newest
	now := time.Now()
	cut := shorten
	if o.full {
		cut = func(s string, _ int) string { return s }
	}
	rows := make([][]string, len(containers))
	for i, c := range containers {
		rows[i] = []string{
			id(c.ID), c.Name, c.Backend, c.Runtime, cut(commandLine(c.Command), 30),
			ago(c.CreatedAt, now), cut(status(c, now), 60),
		}
	}
	header := []string{"ID", "NAME", "BACKEND", "RUNTIME", "COMMAND", "CREATED", "STATUS"}
	if o.size {
		header = append(header, "OUTPUT")
		for i, c := range containers {
			rows[i] = append(rows[i], units.BytesSize(float64(sizes[c.ID])))
		}
	}
	if slices.ContainsFunc(containers, func(c api.Container) bool { return len(c.Ports) > 0 }) {
		header = append(header, "PORTS")
		for i, c := range containers {
			rows[i] = append(rows[i], publish.Format(c.Ports))
		}
	}
	l := listing{header: header, rows: rows, items: containers, more: func(i int) fields { return psFields(containers[i], now, sizes[containers[i].ID]) }}
	if !o.full {
		l.shorter, l.dispensable = []string{"COMMAND", "PORTS", "STATUS"}, []string{"RUNTIME", "BACKEND", "CREATED"}
	}
	return l.print(a.Stdout, o.form)
}

// psFields are the fields that docker ps has, other than the columns here.
func psFields(c api.Container, now time.Time, size int64) fields {
	return fields{
		"Names": c.Name, "State": string(c.State), "CreatedAt": c.CreatedAt.Format(time.RFC3339), "RunningFor": agoInWords(c.CreatedAt, now),
		"Health": string(healthStatus(c)), "Labels": labelList(c.Labels), "Size": units.BytesSize(float64(size)), "PID": c.PID, "RestartCount": c.Restarts,
		"Networks": c.Network, "Addresses": addressList(c), "Ports": publish.Format(c.Ports),
	}
}

// status describes the state of a container.
func status(c api.Container, now time.Time) string {
	switch c.State {
	case api.StateRunning, api.StatePaused:
		words := string(c.State) + " " + since(c.StartedAt, now) + healthWords(c.Health)
		if len(c.OutputLost) > 0 {
			words += ", output incomplete"
		}
		return words
	case api.StateUnknown:
		return "unknown: " + c.Error
	case api.StateRestarting:
		why := c.Error
		if c.Exit != nil {
			why = strings.Join(exitDetails(c.Exit), ", ")
		}
		return fmt.Sprintf("restarting (%s) %s", why, in(c.RestartAt, now))
	case api.StateFailed:
		return "failed: " + c.Error
	case api.StateExited:
		if c.Exit == nil {
			break
		}
		if c.Exit.Source == executor.Lost {
			return "lost: " + c.Exit.Reason
		}
		if c.Checkpointed != "" {
			return strings.TrimSpace(fmt.Sprintf("checkpointed as %s %s", c.Checkpointed, ago(c.FinishedAt, now)))
		}
		return strings.TrimSpace(fmt.Sprintf("exited (%s) %s", strings.Join(exitDetails(c.Exit), ", "), ago(c.FinishedAt, now)))
	}
	return string(c.State)
}

// healthWords describes the health of a container as docker does, after a space.
func healthWords(h *api.Health) string {
	switch {
	case h == nil:
		return ""
	case h.Status == api.HealthStarting:
		return " (health: starting)"
	}
	return " (" + string(h.Status) + ")"
}

// exitDetails returns the details of an end, the code first.
func exitDetails(end *api.End) []string {
	var details []string
	if end.Code != nil {
		details = append(details, fmt.Sprint(*end.Code))
	}
	if end.Signal != 0 {
		name := unix.SignalName(end.Signal)
		if name == "" {
			name = fmt.Sprintf("signal %d", int(end.Signal))
		}
		details = append(details, name)
	}
	if end.OOM != nil && *end.OOM {
		details = append(details, "OOM")
	}
	if end.Output == executor.Truncated {
		details = append(details, "output incomplete")
	}
	return details
}

// addressList returns the addresses of a container, with commas.
func addressList(c api.Container) string {
	var list []string
	for _, a := range c.Addresses {
		list = append(list, a.IP.String())
		if a.IP6.IsValid() {
			list = append(list, a.IP6.String())
		}
	}
	return strings.Join(list, ",")
}

// labelList returns labels as docker's templates have them: NAME=VALUE, with commas.
func labelList(labels map[string]string) string {
	list := make([]string, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, name+"="+labels[name])
	}
	return strings.Join(list, ",")
}
