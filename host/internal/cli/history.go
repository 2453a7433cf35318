package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Images, 45, (*App).historyCommand)

// historyOptions are the flags of `davit history`.
type historyOptions struct{ quiet, whole, human bool }

func (a *App) historyCommand() *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use:   "history [flags] IMAGE",
		Short: "Print the steps in which an image was built, the last one first",
		Long: `Print the steps in which an image was built, the last one first, as the image says
itself. Only the last one has left an image.`,
		Example: "  davit history busybox\n  davit history --no-trunc --format '{{.CreatedBy}}' busybox",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print only ids")
	cmd.Flags().BoolVar(&o.whole, "no-trunc", false, "do not shorten ids and commands")
	cmd.Flags().BoolVarP(&o.human, "human", "H", true, "print sizes and times for people")
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		steps, err := a.Client().ImageHistory(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *form == AsJSON {
			return PrintJSON(a.Stdout, steps)
		}
		l := o.listing(steps, time.Now())
		if o.quiet {
			for _, row := range l.rows {
				fmt.Fprintln(a.Stdout, row[0])
			}
			return nil
		}
		if o.whole {
			l.shorter, l.dispensable = nil, nil
		}
		return l.print(a.Stdout, *form)
	}
	return cmd
}

// listing returns the steps of an image as docker lists them.
func (o historyOptions) listing(steps []api.ImageStep, now time.Time) listing {
	l := listing{header: []string{"IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"}, items: steps, shorter: []string{"COMMENT", "CREATED BY"}, dispensable: []string{"COMMENT"}}
	for _, step := range steps {
		id := cmp.Or(step.Image, "<missing>")
		by, created, bytes := Printable(step.CreatedBy), ago(step.CreatedAt, now), size(step.Size)
		if !o.whole {
			id, by = shortDigest(id), shorten(by, 45)
		}
		if !o.human {
			created, bytes = rfc3339(step.CreatedAt), strconv.FormatInt(step.Size, 10)
		}
		l.rows = append(l.rows, []string{id, created, by, bytes, step.Comment})
	}
	l.more = func(i int) fields {
		return fields{"ID": l.rows[i][0], "CreatedSince": agoInWords(steps[i].CreatedAt, now), "CreatedAt": rfc3339(steps[i].CreatedAt)}
	}
	return l
}

// rfc3339 returns a time for programs, or nothing if it is not known.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}
