package cli

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

func (a *App) imageCheckCommand() *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "check [flags] [IMAGE...]",
		Short: "Look whether images are on disk as they should be",
		Long: `Read all that is on disk of some images, or of all: their blobs, of which the digests are
verified, and their layers, which are compared with what the blobs unpack to. It takes
about as long as to load them, and as much room meanwhile. The exit code is 1 if something
is damaged.

With --repair, damaged layers are replaced, unless a container that uses them runs, and
damaged blobs are removed: pull or load the image again then.`,
		Example: "  davit image check\n  davit image check --repair web:1",
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "repair what can be repaired")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			list, err := a.Client().Images(cmd.Context())
			if err != nil {
				return err
			}
			for _, image := range list {
				args = append(args, image.ID)
			}
		}
		damaged := 0
		for _, ref := range args {
			check, err := a.Client().CheckImage(cmd.Context(), ref, repair)
			if err != nil {
				return err
			}
			if !a.printCheck(check) {
				damaged++
			}
		}
		switch {
		case damaged > 0 && repair:
			return fmt.Errorf("%d of %d images are still damaged", damaged, len(args))
		case damaged > 0:
			return fmt.Errorf("%d of %d images are damaged; --repair repairs what can be repaired", damaged, len(args))
		}
		return nil
	}
	return cmd
}

// printCheck prints what is to say of an image, and reports whether it is good now.
func (a *App) printCheck(check api.ImageCheck) (good bool) {
	good = !slices.ContainsFunc(check.Problems, func(p api.ImageProblem) bool { return !p.Repaired })
	state := "ok"
	switch {
	case !good:
		state = "damaged"
	case len(check.Problems) > 0:
		state = "repaired"
	}
	fmt.Fprintf(a.Stdout, "%s: %s\n", Printable(nameOf(check.Image)), state)
	for _, p := range check.Problems {
		what, done := "layer", ""
		if p.Blob != "" {
			what = "blob"
		}
		if p.Repaired {
			done = " (repaired)"
		}
		fmt.Fprintf(a.Stdout, "  %s %s: %s%s\n", what, shortDigest(cmp.Or(p.Blob, p.Layer)), Printable(p.Text), done)
	}
	return good
}
