package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Host, 60, (*App).eventsCommand)

func (a *App) eventsCommand() *cobra.Command {
	opts := api.EventOptions{}
	var after uint64
	only := eventFilters{}
	cmd := &cobra.Command{
		Use:   "events [flags]",
		Short: "Print what happened to containers, images, networks, backends",
		Long: `Print what happened to containers, images, volumes, networks and backends, from the
host's journal: time, number, type and details of each event. As JSON, an event is one line. With --until and
--follow it ends at the first event after that time.`,
		Example: "  davit events\n  davit events -f -n 0\n  davit events --after 41 --format json\n  davit events --since 1h --filter container=web --filter event=exited",
		Args:    AtMost(0),
	}
	cmd.Flags().BoolVarP(&opts.Follow, "follow", "f", false, "go on with what happens from now on")
	cmd.Flags().VarP(tailFlag(&opts.Tail), "tail", "n", "the latest `N` events, or all that are kept")
	cmd.Flags().Uint64Var(&after, "after", 0, "those after event `NUMBER`")
	cmd.Flags().Func("filter", "only events with `KEY=VALUE`; keys are "+strings.Join(eventFilterKeys, ", "), only.add)
	cmd.Flags().Func("since", "what happened since `TIME`: 10m (ago), 2026-01-31T12:00:00Z, or Unix seconds", timeFlag(&only.since))
	cmd.Flags().Func("until", "what happened until `TIME`", timeFlag(&only.until))
	cmd.MarkFlagsMutuallyExclusive("tail", "after")
	a.patienceFlag(cmd)
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("after") {
			opts.After = &after
		}
		client := a.Client()
		if err := only.resolve(cmd.Context(), client); err != nil {
			return err
		}
		for e, err := range client.Events(cmd.Context(), opts) {
			if err != nil {
				return err
			}
			if only.over(e) {
				return nil
			}
			if !only.pass(e) {
				continue
			}
			if err := a.printEvent(e, *form); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func (a *App) printEvent(e api.Event, form Format) error {
	if form == AsJSON {
		return json.NewEncoder(a.Stdout).Encode(e)
	}
	if form.templated() {
		return a.printEventAs(e, form)
	}
	details := make([]string, 0, len(e.Data)+1)
	if e.Backend != "" {
		details = append(details, "backend="+e.Backend)
	}
	if e.Attempt > 1 {
		details = append(details, fmt.Sprintf("attempt=%d", e.Attempt))
	}
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		value := e.Data[key]
		if key == "image" {
			value = shortDigest(value)
		}
		details = append(details, key+"="+commandLine([]string{value}))
	}
	subject := cmp.Or(api.ShortID(e.Container), "-")
	line := fmt.Sprintf("%s  %d  %-18s  %s  %s", e.Time.Local().Format(time.StampMilli), e.Seq, e.Type, subject, strings.Join(details, " "))
	_, err := fmt.Fprintln(a.Stdout, Printable(line))
	return err
}

// printEventAs prints an event by a template, which may have the fields that docker's
// events have.
func (a *App) printEventAs(e api.Event, form Format) error {
	kind, action, _ := strings.Cut(e.Type, ".")
	subject := e.Container
	switch kind {
	case "container":
	case "image", "network", "volume":
		subject = e.Data[kind]
	default:
		subject = e.Backend
	}
	if e.Type == api.EventHealthStatus {
		action += ": " + e.Data["status"]
	}
	return listing{items: []api.Event{e}, more: func(int) fields {
		return fields{"ID": subject, "Type": kind, "Action": action, "Status": action, "Time": e.Time.Unix(), "TimeNano": e.Time.UnixNano()}
	}}.print(a.Stdout, form)
}
