package volumes

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/linux"
)

// maxRecord bounds the copy of a record, which has some kilobytes.
const maxRecord = 1 << 20

// recover looks at the directories that an earlier host has left. It removes hidden ones,
// and anonymous volumes that never had a record, or have lost it on purpose. All others get
// the records that they lack.
func (m *Manager) recover(ctx context.Context) error {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return err
	}
	records := map[string]bool{}
	err = m.store.View(func(tx *store.Tx) error {
		all, err := tx.Volumes()
		for _, v := range all {
			records[v.Name] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	var left []string
	var lacking []*store.Volume
	for _, e := range entries {
		name := e.Name()
		switch v := m.readRecord(name); {
		case isHidden(name):
			left = append(left, filepath.Join(m.dir, name))
		case records[name], !e.IsDir(), ocispec.ValidateVolumeName(name) != nil:
		case v.Anonymous && !m.store.Info().Incomplete():
			if err := m.retire(name); err != nil {
				return err
			}
		default:
			lacking = append(lacking, v)
		}
	}
	m.discard(left...)
	if len(lacking) == 0 {
		return nil
	}
	return m.store.Update(ctx, func(tx *store.Tx) error {
		for _, v := range lacking {
			if err := putNew(tx, v); err != nil {
				return err
			}
			m.logger.Warn("the record of a volume was made again", "volume", v.Name)
		}
		return nil
	})
}

// readRecord returns the record of a volume from its copy, or as much of it as can be known
// without.
func (m *Manager) readRecord(name string) *store.Volume {
	v := new(store.Volume)
	dir := filepath.Join(m.dir, name)
	text, err := linux.ReadFile(filepath.Join(dir, recordFile), maxRecord)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err == nil && v.Name != name {
		err = errors.New("it is of another volume")
	}
	if err != nil {
		v = &store.Volume{Name: name}
		if info, serr := os.Stat(dir); serr == nil {
			v.CreatedAt = info.ModTime()
		}
	}
	return v
}
