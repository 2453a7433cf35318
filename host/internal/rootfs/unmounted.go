package rootfs

import (
	"errors"
	"io/fs"
	"slices"
)

// Unmounted calls fn, unless a root file system that has a layer is mounted, and reports
// whether it has called it. Nothing is mounted meanwhile.
func (s *Store) Unmounted(layer string, fn func() error) (called bool, err error) {
	s.mounting.Lock()
	defer s.mounting.Unlock()
	ids, err := s.IDs()
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		layers, err := s.read(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is being made
		}
		if err == nil && !slices.Contains(layers, layer) {
			continue
		}
		if mounted, merr := s.mounted(id); mounted || merr != nil {
			return false, merr
		}
	}
	return true, fn()
}
