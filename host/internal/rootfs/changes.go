package rootfs

import (
	"context"
	"io"
	"path/filepath"

	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/shared/executor"
)

// Changes returns what a container has changed of its image. What it has added at a path for
// which skip returns true is left out.
func (s *Store) Changes(ctx context.Context, id string, skip func(path string) bool) ([]layer.Change, error) {
	upper, trees, err := s.trees(id)
	if err != nil {
		return nil, err
	}
	return layer.Changes(ctx, upper, trees, skip)
}

// Pack writes what a container has changed of its image as the archive of a layer. What it
// has added at a path for which skip returns true is left out.
func (s *Store) Pack(ctx context.Context, w io.Writer, id string, skip func(path string) bool) error {
	upper, trees, err := s.trees(id)
	if err != nil {
		return err
	}
	return layer.Pack(ctx, w, upper, trees, skip)
}

// trees returns the directory of what a container has written, and those of its image, the
// lowest first.
func (s *Store) trees(id string) (upper string, trees []string, err error) {
	names, err := s.read(id)
	if err != nil {
		return "", nil, executor.Errorf(executor.Unavailable, "root file system of container %s: %w", id, err)
	}
	for _, name := range names {
		trees = append(trees, filepath.Join(s.layers, layer.Path(name)))
	}
	return filepath.Join(s.dir, id, "upper"), trees, nil
}
