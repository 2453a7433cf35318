package cli

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/davit-run/davit/host/api"
)

// imageFilterKeys are the keys of --filter for images.
var imageFilterKeys = []string{"before", "dangling", "label", "reference", "since"}

// imageFilters are the values of --filter by their keys. An image passes if it has one of
// the values of each key, and all labels.
type imageFilters map[string][]string

func (f imageFilters) add(s string) error {
	key, value, err := cutFilter(s, imageFilterKeys)
	if err != nil {
		return err
	}
	if key == "reference" {
		if _, err := path.Match(value, ""); err != nil {
			return fmt.Errorf("reference %q: %w", value, err)
		}
	}
	f[key] = append(f[key], value)
	return nil
}

// apply returns the images that pass. An image has only those of its names that a reference
// asks for.
func (f imageFilters) apply(ctx context.Context, client *api.Client, all []api.Image) ([]api.Image, error) {
	if dangling := f["dangling"]; len(dangling) > 0 {
		all = slices.DeleteFunc(all, func(image api.Image) bool {
			return !slices.Contains(dangling, strconv.FormatBool(len(image.Names) == 0))
		})
	}
	if patterns := f["reference"]; len(patterns) > 0 {
		all = imagesLike(all, patterns)
	}
	for _, key := range []string{"before", "since"} {
		for _, ref := range f[key] {
			than, err := client.InspectImage(ctx, ref)
			if err != nil {
				return nil, fmt.Errorf("filter %s: %w", key, err)
			}
			all = slices.DeleteFunc(all, func(image api.Image) bool { return !inOrder(key, madeAt(image), madeAt(than.Image)) })
		}
	}
	if labels := f["label"]; len(labels) > 0 {
		return imagesLabelled(ctx, client, all, labels)
	}
	return all, nil
}

// imagesLike returns the images that have a name like one of some patterns, with only those
// names. A pattern without a tag means all tags, as in docker.
func imagesLike(all []api.Image, patterns []string) []api.Image {
	var like []api.Image
	for _, image := range all {
		image.Names = slices.DeleteFunc(slices.Clone(image.Names), func(name string) bool {
			repository, _ := cutTag(name)
			return !slices.ContainsFunc(patterns, func(pattern string) bool {
				whole, _ := path.Match(pattern, name) // checked by add
				untagged, _ := path.Match(pattern, repository)
				return whole || untagged
			})
		})
		if len(image.Names) > 0 {
			like = append(like, image)
		}
	}
	return like
}

// imagesLabelled returns the images that have all of some labels.
func imagesLabelled(ctx context.Context, client *api.Client, all []api.Image, labels []string) (with []api.Image, err error) {
	for _, image := range all {
		details, err := client.InspectImage(ctx, image.ID)
		if err != nil {
			return nil, err
		}
		lacks := func(label string) bool { return !hasLabel(details.Config.Labels, label) }
		if !slices.ContainsFunc(labels, lacks) {
			with = append(with, image)
		}
	}
	return with, nil
}

// madeAt returns when an image was built, or came here if it does not say.
func madeAt(image api.Image) time.Time {
	if image.CreatedAt.Unix() > 0 {
		return image.CreatedAt
	}
	return image.AddedAt
}
