package shim

import (
	"encoding/json"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/shared/executor"
)

// Config is a backend's config block.
type Config struct {
	oci.Config
	ShimDirs []string `json:"shim_dirs"`
}

func configSchema() executor.Schema {
	return executor.Schema{Attributes: append(oci.ConfigAttributes(),
		executor.Attribute{Name: "shim_dirs", Type: executor.Strings, Description: "directories to look for shims in, before davit's own shim and PATH"},
	)}
}

// parseConfig decodes the block, applies the defaults, and checks what can be
// checked without I/O.
func parseConfig(body json.RawMessage) (Config, []executor.Diagnostic) {
	c := Config{Config: oci.DefaultConfig()}
	found := settings.Decode(body, &c, "config")
	if len(found) > 0 {
		return c, found
	}
	for _, dir := range c.ShimDirs {
		if !filepath.IsAbs(dir) {
			found.Add("shim_dirs", "give the absolute paths of directories", "%q is not an absolute path", dir)
		}
	}
	c.Check(&found)
	return c, found
}

// validate is the executor's Validate.
func validate(s executor.Settings) []executor.Diagnostic {
	_, _, found := oci.ReadSettings(s, "/", parseConfig)
	return found
}
