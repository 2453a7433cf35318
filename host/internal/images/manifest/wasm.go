package manifest

import (
	"encoding/json"
	"time"

	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Media types of WebAssembly artifacts, of the CNCF's working group for WebAssembly. Such an
// artifact is an image whose layer is a module instead of an archive.
const (
	WasmConfig = "application/vnd.wasm.config.v0+json"
	WasmLayer  = "application/wasm"
)

// Wasm is the platform of modules for WASI preview 1, as in Go's GOOS and GOARCH.
var Wasm = Platform{OS: "wasip1", Architecture: "wasm"}

// IsWasm reports whether a platform is one of WebAssembly: wasip1/wasm, wasip2/wasm for
// components, or wasi/wasm, as docker called it.
func (p Platform) IsWasm() bool { return p.Architecture == "wasm" }

// wasm is what is read of the config of an artifact. An image's config has none of it.
type wasm struct {
	LayerDigests []digest.Digest `json:"layerDigests"`
}

// completeWasm makes of the config of an artifact the config of an image with the module as
// its entrypoint. It changes nothing in a config of an image.
func completeWasm(c *v1.Image, raw []byte) error {
	var w wasm
	if err := json.Unmarshal(raw, &w); err != nil {
		return invalid("its config: %w", err)
	}
	if len(c.RootFS.DiffIDs) > 0 || len(w.LayerDigests) == 0 {
		return nil
	}
	if len(w.LayerDigests) > 1 {
		return invalid("it is a WebAssembly artifact of %d modules, one is supported; link them to one module", len(w.LayerDigests))
	}
	c.RootFS = v1.RootFS{Type: "layers", DiffIDs: w.LayerDigests}
	c.Config = v1.ImageConfig{Entrypoint: []string{"/" + layer.Module}}
	return nil
}

// NewWasm returns the config of an artifact with one module, as JSON.
func NewWasm(module digest.Digest, created time.Time) ([]byte, error) {
	return json.Marshal(struct {
		Created      time.Time `json:"created"`
		Architecture string    `json:"architecture"`
		OS           string    `json:"os"`
		wasm
	}{created, Wasm.Architecture, Wasm.OS, wasm{[]digest.Digest{module}}})
}
