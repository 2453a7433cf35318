package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/cobra"
)

var _ = Command(Images, 10, (*App).imagesCommand)

func (a *App) imagesCommand() *cobra.Command {
	var quiet, whole, digests bool
	filters := imageFilters{}
	cmd := &cobra.Command{
		Use:     "images [flags] [NAME[:TAG]]",
		Short:   "List images, the newest first",
		Example: "  davit images\n  davit images web\n  davit images --format '{{.Repository}}:{{.Tag}}'\n  davit rmi $(davit images -q -f dangling=true)",
		Args:    AtMost(1),
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only ids")
	cmd.Flags().BoolVar(&whole, "no-trunc", false, "print whole ids")
	cmd.Flags().BoolVar(&digests, "digests", false, "show the digests of their manifests")
	cmd.Flags().FuncP("filter", "f", "only images with `KEY=VALUE`; keys are "+strings.Join(imageFilterKeys, ", "), filters.add)
	cmd.Flags().BoolP("all", "a", false, "as without it: no image is hidden")
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := a.Client().Images(cmd.Context())
		if err != nil {
			return err
		}
		if len(args) > 0 {
			list = imagesNamed(list, args[0])
		}
		if list, err = filters.apply(cmd.Context(), a.Client(), list); err != nil {
			return err
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
		return imageListing(list, id, digests, time.Now()).print(a.Stdout, *form)
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

// imageListing returns the table of images, with a row for each name of each image.
func imageListing(list []api.Image, id func(api.Image) string, digests bool, now time.Time) listing {
	l := listing{header: []string{"NAME", "ID", "PLATFORM", "CREATED", "SIZE"}, dispensable: []string{"PLATFORM", "CREATED"}}
	if digests {
		l.header = append(l.header, "DIGEST")
	}
	var each []api.Image // for each row
	for _, image := range list {
		names := image.Names
		if len(names) == 0 {
			names = []string{""}
		}
		for _, name := range names {
			row := []string{name, id(image), image.Platform, ago(image.CreatedAt, now), size(image.Size)}
			if digests {
				row = append(row, image.Digest)
			}
			l.rows, each = append(l.rows, row), append(each, image)
		}
	}
	l.items = each
	l.more = func(i int) fields { // docker's names
		repository, tag := cutTag(l.rows[i][0])
		return fields{
			"ID": l.rows[i][1], "Repository": cmp.Or(repository, "<none>"), "Tag": cmp.Or(tag, "<none>"), "Digest": each[i].Digest,
			"CreatedSince": agoInWords(each[i].CreatedAt, now), "CreatedAt": rfc3339(each[i].CreatedAt), "Containers": each[i].Containers,
		}
	}
	return l
}

// cutTag splits the name of an image. A colon of the registry's port is before a slash.
func cutTag(name string) (repository, tag string) {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, ""
}
