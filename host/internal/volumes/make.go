package volumes

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// Create makes a volume; see the method of host.Host.
func (m *Manager) Create(ctx context.Context, opts api.VolumeOptions) (api.Volume, error) {
	v := &store.Volume{Name: opts.Name, Labels: opts.Labels, CreatedAt: time.Now()}
	if v.Name == "" {
		v.Name, v.Anonymous = newName(), true
	}
	if err := ocispec.ValidateVolumeName(v.Name); err != nil {
		return api.Volume{}, err
	}
	unlock, err := m.changes.Lock(ctx, v.Name)
	if err != nil {
		return api.Volume{}, err
	}
	defer unlock()
	made, err := m.ensure(v)
	if err != nil {
		return api.Volume{}, err
	}
	if err := m.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return create(tx, v) }); err != nil {
		if made && !errors.Is(err, executor.OutcomeUnknown) {
			m.drop(v.Name)
		}
		return api.Volume{}, err
	}
	return m.Inspect(v.Name)
}

// create writes the record of a volume, and the event, unless there is one.
func create(tx *store.Tx, v *store.Volume) error {
	if _, err := tx.Volume(v.Name); err == nil {
		return nil
	}
	if err := putNew(tx, v); err != nil {
		return err
	}
	return appendEvent(tx, api.EventVolumeCreated, v.Name)
}

// appendEvent appends an event about a volume.
func appendEvent(tx *store.Tx, typ, name string) error {
	_, err := tx.Append(store.Event{Type: typ, Data: map[string]string{"volume": name}})
	return err
}

// putNew writes the record of a volume, unless there is one.
func putNew(tx *store.Tx, v *store.Volume) error {
	_, err := tx.Volume(v.Name)
	if errors.Is(err, executor.NotFound) {
		return tx.PutVolume(v)
	}
	return err
}

// ensure makes the directory of a volume, on disk and whole, if there is none, and reports
// whether it did. The caller has the lock of the volume.
func (m *Manager) ensure(v *store.Volume) (made bool, err error) {
	dir := filepath.Join(m.dir, v.Name)
	if is, err := exists(dir); is || err != nil {
		return false, err
	}
	draft, err := m.draft()
	if err != nil {
		return false, explain(m.dir, err)
	}
	if err = prepare(draft, v); err == nil {
		err = os.Rename(draft, dir)
	}
	if err != nil {
		m.discard(draft)
		return false, explain(m.dir, err)
	}
	if err := linux.SyncDir(m.dir); err != nil {
		return true, explain(m.dir, err)
	}
	return true, nil
}

// prepare makes what is in the directory of a volume.
func prepare(dir string, v *store.Volume) error {
	data := filepath.Join(dir, dataDir)
	if err := errors.Join(os.Mkdir(data, 0o755), os.Chmod(data, 0o755)); err != nil { // whatever the umask
		return err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, recordFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close(), linux.SyncDir(dir))
}
