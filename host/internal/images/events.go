package images

import (
	"context"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
)

// appendEvent appends an event about an image, and some of its names as they are stored.
func appendEvent(tx *store.Tx, typ string, image *store.Image, names ...string) error {
	data := map[string]string{"image": image.ID}
	if len(names) > 0 {
		data["name"] = strings.Join(shortNames(names), ",")
	}
	_, err := tx.Append(store.Event{Type: typ, Data: data})
	return err
}

// pushed appends the event of a push. That it was made counts, not that it is written down.
func (m *Manager) pushed(ctx context.Context, image *store.Image, name string) {
	err := m.update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return appendEvent(tx, api.EventImagePushed, image, name)
	})
	if err != nil {
		m.logger.Warn("the event of a push was not written", "image", image.ID, "error", err)
	}
}
