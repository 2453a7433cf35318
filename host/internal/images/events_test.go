package images

import (
	"bytes"
	"slices"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
)

// TestEvents looks at what the journal says about an image.
func TestEvents(t *testing.T) {
	m, _ := openImages(t, t.TempDir())
	var after uint64
	want := func(when string, err error, events ...string) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		var got []string
		err = m.view(func(tx *store.Tx) error {
			all, err := tx.Events(after, 10)
			for _, e := range all {
				got, after = append(got, e.Type+" "+short(e.Data["image"])+" "+e.Data["name"]), e.Seq
			}
			return err
		})
		if err != nil || !slices.Equal(got, events) {
			t.Errorf("%s: the events are %q, %v; want %q", when, got, err, events)
		}
	}
	image, err := m.Import(t.Context(), bytes.NewReader(tarOf(t, file{"bin/sh", "sh"})), api.ImportOptions{Name: "base"}, nil)
	id := short(image.ID)
	want("import", err, "image.imported "+id+" base:latest")
	want("tag", m.Tag(t.Context(), "base", "reg.example/b:2"), "image.tagged "+id+" reg.example/b:2")
	want("tag again", m.Tag(t.Context(), "base", "reg.example/b:2"))
	_, err = m.Remove(t.Context(), "reg.example/b:2", false)
	want("untag", err, "image.untagged "+id+" reg.example/b:2")
	want("tag", m.Tag(t.Context(), "base", "c"), "image.tagged "+id+" c:latest")
	_, err = m.Prune(t.Context(), api.PruneImagesOptions{All: true, DryRun: true})
	want("dry run", err)
	_, err = m.Prune(t.Context(), api.PruneImagesOptions{All: true})
	want("prune", err, "image.removed "+id+" base:latest,c:latest")
	if _, err := m.Remove(t.Context(), "base", false); err == nil {
		t.Error("what is gone was removed")
	}
	want("removal of what is gone", nil)
}
