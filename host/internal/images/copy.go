package images

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"

	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/go-digest"
)

// maxCopy bounds the copy of all records, which have some kilobytes each.
const maxCopy = 256 << 20

// keepCopy writes the copy of all records, from which they are made again if the state is
// lost. Without it images are as good, until then.
func (m *Manager) keepCopy() {
	m.copying.Lock()
	defer m.copying.Unlock()
	var all []*store.Image
	err := m.view(func(tx *store.Tx) (err error) {
		all, err = tx.Images()
		return err
	})
	var text []byte
	if err == nil {
		text, err = json.Marshal(all)
	}
	if err == nil {
		err = linux.WriteWhole(m.copyPath, text)
	}
	if err != nil {
		m.logger.Warn("the copy of the records of images is not written", "error", err)
	}
}

// recoverRecords makes records again that were lost with the state, of images whose blobs
// are here.
func (m *Manager) recoverRecords(ctx context.Context) error {
	text, err := linux.ReadFile(m.copyPath, maxCopy)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var copies []*store.Image
	if err == nil {
		err = json.Unmarshal(text, &copies)
	}
	if err != nil {
		return err
	}
	return m.update(ctx, func(tx *store.Tx) error {
		for _, image := range copies {
			if _, err := tx.Image(image.ID); executor.CodeOf(err) != executor.NotFound || !m.whole(image) {
				continue
			}
			image.Names = slices.DeleteFunc(image.Names, func(name string) bool {
				_, err := tx.FindImage(name, "")
				return err == nil
			})
			if err := tx.PutImage(image); err != nil {
				return err
			}
			m.logger.Warn("the record of an image was recovered", "image", image.ID, "names", shortNames(image.Names))
		}
		return nil
	})
}

// whole reports whether a copy is of an image whose blobs are here.
func (m *Manager) whole(image *store.Image) bool {
	has := func(d string) bool { return blob.CheckDigest(digest.Digest(d)) == nil && m.blobs.Has(digest.Digest(d)) }
	diffIDs := slices.ContainsFunc(image.DiffIDs, func(d string) bool { return blob.CheckDigest(digest.Digest(d)) != nil })
	missing := slices.ContainsFunc(append([]string{image.ID, image.Manifest}, image.Layers...), func(d string) bool { return !has(d) })
	return !diffIDs && !missing && len(image.DiffIDs) == len(image.Layers)
}
