package images

import (
	"regexp"
	"slices"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/distribution/reference"
)

// normalName returns the whole name of an image: with a registry, and with a tag. Short
// names are completed as docker does: busybox is docker.io/library/busybox:latest.
func normalName(name string) (string, error) {
	named, err := parseName(name)
	if err != nil {
		return "", err
	}
	if _, ok := named.(reference.Digested); ok {
		return "", executor.Errorf(executor.Invalid, "%q has a digest, and names an image already; give a name with a tag", name)
	}
	return reference.TagNameOnly(named).String(), nil
}

// normalNames returns the names of an image that gets one, or none if that is empty.
func normalNames(name string) ([]string, error) {
	if name == "" {
		return nil, nil
	}
	whole, err := normalName(name)
	return []string{whole}, err
}

func parseName(name string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "%q is not the name of an image: %w; names look like busybox, busybox:1.36 or registry.example:5000/team/app:v1", name, err)
	}
	return named, nil
}

// shortName returns a name as users write it.
func shortName(name string) string {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.FamiliarString(named)
}

func shortNames(names []string) []string {
	short := make([]string, len(names))
	for i, name := range names {
		short[i] = shortName(name)
	}
	return short
}

var idPattern = regexp.MustCompile(`^(sha256:)?[0-9a-f]{1,64}$`)

// find returns the image that a user means: by a name, a name with the digest of the
// manifest, an id, or the beginning of one. name is the whole name if it was found by it.
func find(tx *store.Tx, ref string) (image *store.Image, name string, err error) {
	prefix := ""
	if idPattern.MatchString(ref) {
		prefix = ref
	}
	named, parseErr := parseName(ref)
	if parseErr != nil && prefix == "" {
		return nil, "", parseErr
	}
	if digested, ok := named.(reference.Canonical); ok {
		image, err = findDigest(tx, digested)
	} else {
		if parseErr == nil {
			name = reference.TagNameOnly(named).String()
		}
		image, err = tx.FindImage(name, prefix)
	}
	if executor.CodeOf(err) == executor.NotFound {
		return nil, "", executor.Errorf(executor.NotFound, "no image %q; davit images lists those that there are", ref)
	}
	if err != nil {
		return nil, "", err
	}
	if slices.Contains(image.Names, name) {
		return image, name, nil
	}
	return image, "", nil
}

// findDigest returns the image with the digest in a reference.
func findDigest(tx *store.Tx, ref reference.Canonical) (*store.Image, error) {
	all, err := tx.Images()
	for _, image := range all {
		if image.Manifest == string(ref.Digest()) {
			return image, nil
		}
	}
	if err == nil {
		err = executor.Errorf(executor.NotFound, "no image %s", ref)
	}
	return nil, err
}
