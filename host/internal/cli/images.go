package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Images, 10, (*App).imagesCommand)

func (a *App) imagesCommand() *cobra.Command {
	var quiet, whole bool
	cmd := &cobra.Command{
		Use:     "images [flags] [NAME[:TAG]]",
		Short:   "List images, the newest first",
		Example: "  davit images\n  davit images web\n  davit rmi $(davit images -q)",
		Args:    AtMost(1),
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only ids")
	cmd.Flags().BoolVar(&whole, "no-trunc", false, "print whole ids")
	form := FormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := a.Client().Images(cmd.Context())
		if err != nil {
			return err
		}
		if len(args) > 0 {
			list = imagesNamed(list, args[0])
		}
		id := func(image api.Image) string {
			if whole {
				return image.ID
			}
			return shortDigest(image.ID)
		}
		switch {
		case quiet:
			for _, image := range list {
				fmt.Fprintln(a.Stdout, id(image))
			}
			return nil
		case *form == AsJSON:
			return PrintJSON(a.Stdout, list)
		}
		return PrintTable(a.Stdout, []string{"NAME", "ID", "PLATFORM", "CREATED", "SIZE"}, imageRows(list, id, time.Now()))
	}
	return cmd
}

// imagesNamed returns those images that have a name, with only that one. A name without a tag
// means all its tags.
func imagesNamed(list []api.Image, name string) []api.Image {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/") // which lists leave out
	var found []api.Image
	for _, image := range list {
		image.Names = slices.DeleteFunc(slices.Clone(image.Names), func(n string) bool {
			return n != name && !strings.HasPrefix(n, name+":") && !strings.HasPrefix(n, name+"@")
		})
		if len(image.Names) > 0 {
			found = append(found, image)
		}
	}
	return found
}

// imageRows returns a row for each name of each image.
func imageRows(list []api.Image, id func(api.Image) string, now time.Time) [][]string {
	var rows [][]string
	for _, image := range list {
		names := image.Names
		if len(names) == 0 {
			names = []string{""}
		}
		for _, name := range names {
			rows = append(rows, []string{name, id(image), image.Platform, ago(image.CreatedAt, now), size(image.Size)})
		}
	}
	return rows
}
