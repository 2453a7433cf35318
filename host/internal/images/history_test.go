package images

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestHistory asks for the steps of images that tell all, too much and nothing of them.
func TestHistory(t *testing.T) {
	m, _ := openImages(t, t.TempDir())
	p := sample(t)
	lower, upper := string(digest.FromBytes(p.layers[0])), string(digest.FromBytes(p.layers[1]))
	step := func(by, layer string, size int64) api.ImageStep {
		return api.ImageStep{CreatedBy: by, Layer: layer, Size: size}
	}
	for _, c := range []struct {
		name string
		told []v1.History
		want []api.ImageStep
	}{
		{"all", []v1.History{{CreatedBy: "ADD"}, {CreatedBy: "ENV", EmptyLayer: true}, {CreatedBy: "RUN"}}, []api.ImageStep{step("RUN", upper, 1), step("ENV", "", 0), step("ADD", lower, 2)}},
		{"too much", []v1.History{{CreatedBy: "1"}, {CreatedBy: "2"}, {CreatedBy: "3"}}, []api.ImageStep{step("3", "", 0), step("2", upper, 1), step("1", lower, 2)}},
		{"nothing", nil, []api.ImageStep{step("", upper, 1), step("", lower, 2)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := json.Marshal(v1.Image{
				Platform: v1.Platform{OS: "linux", Architecture: manifest.Here().Architecture}, History: c.told,
				RootFS: v1.RootFS{Type: "layers", DiffIDs: digests([]string{lower, upper})},
			})
			if err != nil {
				t.Fatal(err)
			}
			m.load(t, tarOf(t, file{"c", string(config)}, file{"a", string(p.layers[0])}, file{"b", string(p.layers[1])}, file{"manifest.json", `[{"Config":"c","RepoTags":["app"],"Layers":["a","b"]}]`}))
			c.want[0].Image = string(digest.FromBytes(config))
			if got, err := m.History("app"); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
	if _, err := m.History("other"); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("got %v, want not found", err)
	}
}
