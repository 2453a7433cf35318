package manifest

import (
	"slices"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// TestWasmConfig reads configs of artifacts, and of what is none.
func TestWasmConfig(t *testing.T) {
	raw, err := NewWasm(zero, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig(raw, 1)
	if err != nil || Of(&c.Platform) != Wasm || len(c.RootFS.DiffIDs) != 1 || !slices.Equal(c.Config.Entrypoint, []string{"/module.wasm"}) || c.Created.IsZero() {
		t.Errorf("got %+v, %v", c, err)
	}
	for name, text := range map[string]string{
		"two modules": `{"layerDigests":["` + zero + `","` + zero + `"]}`, "no digest": `{"layerDigests":["x"]}`, "another type": `{"layerDigests":"x"}`, "none": `{"layerDigests":[]}`,
	} {
		if c, err := ParseConfig([]byte(text), 1); executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%s: got %+v, %v", name, c, err)
		}
	}
	image := `{"rootfs":{"diff_ids":["` + zero + `"]},"config":{"Entrypoint":["/own"]},"layerDigests":["` + zero + `","` + zero + `"]}`
	if c, err := ParseConfig([]byte(image), 1); err != nil || c.Config.Entrypoint[0] != "/own" {
		t.Errorf("an image: got %+v, %v", c, err)
	}
}
