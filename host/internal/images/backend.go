package images

import (
	"encoding/json"

	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// UseOf returns an image that a backend has, for a container whose root file system the
// backend makes. There is nothing of it that would have to be released.
func UseOf(image executor.Image) (*Use, error) {
	var known v1.Image
	if err := json.Unmarshal(image.Config, &known); err != nil {
		return nil, executor.Errorf(executor.Invalid, "its config: %w", err)
	}
	config, err := manifest.ParseConfig(image.Config, len(known.RootFS.DiffIDs))
	if err != nil {
		return nil, err
	}
	use := &Use{Image: &store.Image{ID: image.ID}, Release: func() {}, config: &config.Config}
	use.health, use.healthErr = healthOf(image.Config)
	return use, nil
}

// NamesOf returns what backends may call the image that a user means: the whole name first,
// and then as it was written.
func NamesOf(ref string) []string {
	whole, err := normalName(ref)
	if err != nil || whole == ref {
		return []string{ref}
	}
	return []string{whole, ref}
}
