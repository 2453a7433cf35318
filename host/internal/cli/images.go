package cli

import (
	"cmp"
	"context"
	"errors"
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
	var imageStore, backend string
	filters := imageFilters{}
	cmd := &cobra.Command{
		Use:   "images [flags] [NAME[:TAG]]",
		Short: "List images, the newest first",
		Long: `List images, the newest first. With --image-store backend those are listed, by name, that a
backend has itself, such as the images in a containerd.`,
		Example: "  davit images\n  davit images web\n  davit images --format '{{.Repository}}:{{.Tag}}'\n  davit images --image-store backend --backend main\n  davit rmi $(davit images -q -f dangling=true)",
		Args:    AtMost(1),
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only ids")
	cmd.Flags().BoolVar(&whole, "no-trunc", false, "print whole ids")
	cmd.Flags().BoolVar(&digests, "digests", false, "show the digests of their manifests")
	cmd.Flags().FuncP("filter", "f", "only images with `KEY=VALUE`; keys are "+strings.Join(imageFilterKeys, ", "), filters.add)
	cmd.Flags().Var((*filled)(&imageStore), "image-store", "`STORE` to list: host, which is the default, or backend")
	cmd.Flags().Var((*filled)(&backend), "backend", "`NAME` of the backend whose store it is (default: the host's default)")
	cmd.Flags().BoolP("all", "a", false, "as without it: no image is hidden")
	form := listFormatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var list []api.Image
		var err error
		switch {
		case imageStore != "" && imageStore != api.ImageStoreHost && imageStore != api.ImageStoreBackend:
			return fmt.Errorf("there is no image store %q; use %s or %s", imageStore, api.ImageStoreHost, api.ImageStoreBackend)
		case imageStore != api.ImageStoreBackend && backend != "":
			return errors.New("--backend is about the images of a backend: add --image-store backend")
		case imageStore != api.ImageStoreBackend:
			list, err = a.Client().Images(cmd.Context())
		case len(filters) > 0:
			return errors.New("--filter is about davit's own images: leave it out, or --image-store")
		default:
			list, err = a.backendImages(cmd.Context(), backend)
		}
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
		var digest func(api.Image) string
		switch {
		case digests || whole && imageStore == api.ImageStoreBackend:
			digest = func(image api.Image) string { return image.Digest }
		case imageStore == api.ImageStoreBackend:
			digest = func(image api.Image) string { return shortDigest(image.Digest) }
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
		return imageListing(list, id, digest, time.Now()).print(a.Stdout, *form)
	}
	return cmd
}

// backendImages returns the images that a backend has itself; an empty name means the default
// backend.
func (a *App) backendImages(ctx context.Context, backend string) ([]api.Image, error) {
	if backend == "" {
		all, err := a.Client().Backends(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range all {
			if b.Default {
				backend = b.Name
			}
		}
		if backend == "" {
			return nil, errors.New("there is no default backend; name one with --backend")
		}
	}
	found, err := a.Client().BackendImages(ctx, backend)
	list := make([]api.Image, len(found))
	for i, image := range found {
		name := strings.TrimPrefix(strings.TrimPrefix(image.Name, "docker.io/"), "library/") // as of davit's own
		list[i] = api.Image{ID: image.ID, Names: []string{name}, Digest: image.Digest, Platform: image.Platform, Size: image.Size, CreatedAt: image.CreatedAt}
	}
	return list, err
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

// imageListing returns the table of images, with a row for each name of each image. A digest
// of nil leaves out the column.
func imageListing(list []api.Image, id, digest func(api.Image) string, now time.Time) listing {
	l := listing{header: []string{"NAME", "ID", "PLATFORM", "CREATED", "SIZE"}, dispensable: []string{"PLATFORM", "CREATED"}}
	if digest != nil {
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
			if digest != nil {
				row = append(row, digest(image))
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
