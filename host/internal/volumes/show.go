package volumes

import (
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
)

// List returns all volumes, by name.
func (m *Manager) List() (list []api.Volume, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		all, err := tx.Volumes()
		if err != nil {
			return err
		}
		users, err := tx.VolumeUsers()
		for _, v := range all {
			list = append(list, m.show(v, users))
		}
		return err
	})
	return list, err
}

// Inspect returns a volume.
func (m *Manager) Inspect(name string) (shown api.Volume, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		v, err := tx.Volume(name)
		if err != nil {
			return err
		}
		users, err := tx.VolumeUsers()
		shown = m.show(v, users)
		return err
	})
	return shown, err
}

// show returns what users see of a volume.
func (m *Manager) show(v *store.Volume, users map[string][]*store.Container) api.Volume {
	shown := api.Volume{Name: v.Name, Anonymous: v.Anonymous, Labels: v.Labels, Mountpoint: m.Path(v.Name), CreatedAt: v.CreatedAt, Containers: []string{}}
	for _, c := range users[v.Name] {
		shown.Containers = append(shown.Containers, c.ID)
	}
	return shown
}

// Usage returns how much of the disk each volume takes.
func (m *Manager) Usage() ([]api.VolumeUsage, error) {
	all, err := m.List()
	usage := make([]api.VolumeUsage, len(all))
	for i, v := range all {
		usage[i] = api.VolumeUsage{Name: v.Name, Anonymous: v.Anonymous, Bytes: m.size(v.Name), Containers: len(v.Containers)}
	}
	return usage, err
}

// size returns how much of the disk a volume takes, as far as that can be seen.
func (m *Manager) size(name string) (n int64) {
	counted := map[uint64]bool{} // files that have several names
	_ = filepath.WalkDir(m.Path(name), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it may have just been removed
		}
		info, err := e.Info()
		if err != nil {
			return nil //nolint:nilerr // the same
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && !counted[st.Ino] {
			n += st.Blocks * 512
			if st.Nlink > 1 && !e.IsDir() {
				counted[st.Ino] = true
			}
		}
		return nil
	})
	return n
}
