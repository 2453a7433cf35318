package wasm

import (
	"encoding/json"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/executors/internal/specfields"
	"github.com/davit-run/davit/shared/executor"
	"github.com/docker/go-units"
)

// Config is a backend's config block.
type Config struct {
	Ignore      []string `json:"ignore"`
	ModuleDirs  []string `json:"module_dirs"`
	MemoryLimit string   `json:"memory_limit"`
	Timeout     string   `json:"timeout"`
	CacheDir    string   `json:"cache_dir"`

	memory  int64 // bytes
	timeout time.Duration
}

// minMemory is one page.
const minMemory = 64 << 10

func configSchema() executor.Schema {
	return executor.Schema{Attributes: []executor.Attribute{
		fields.Attribute(),
		{Name: "module_dirs", Type: executor.Strings, Description: "directories of the host with modules that may be run beside those of the root file system"},
		{Name: "memory_limit", Type: executor.String, Description: `limit on the linear memory of modules whose spec has none, such as "256m"; 4 GiB is all that a module can address`},
		{Name: "timeout", Type: executor.Duration, Description: "how long a module may run before it is ended with code 137; for ever if absent"},
		{Name: "cache_dir", Type: executor.String, Description: "directory for compiled modules, which backends may share; one of the backend's own if absent"},
	}}
}

// parseConfig decodes the block, applies the defaults, and checks what can be
// checked without I/O.
func parseConfig(body json.RawMessage) (Config, []executor.Diagnostic) {
	c := Config{Ignore: specfields.Default()}
	found := settings.Decode(body, &c, "config")
	if len(found) > 0 {
		return c, found
	}
	found = append(found, fields.Check(c.Ignore)...)
	for _, dir := range c.ModuleDirs {
		if !filepath.IsAbs(dir) {
			found.Add("module_dirs", "give the absolute paths of directories", "%q is not an absolute path", dir)
		}
	}
	if c.CacheDir != "" && !filepath.IsAbs(c.CacheDir) {
		found.Add("cache_dir", "give the absolute path of a directory", "%q is not an absolute path", c.CacheDir)
	}
	var err error
	if c.MemoryLimit != "" {
		if c.memory, err = units.RAMInBytes(c.MemoryLimit); err != nil || c.memory < minMemory {
			found.Add("memory_limit", `give a size from 64k, such as "256m"`, "%q cannot be a memory limit", c.MemoryLimit)
		}
	}
	if c.Timeout != "" {
		if c.timeout, err = time.ParseDuration(c.Timeout); err != nil || c.timeout <= 0 {
			found.Add("timeout", `give a time such as "90s" or "5m"`, "%q cannot be a timeout", c.Timeout)
		}
	}
	return c, found
}

func validate(s executor.Settings) []executor.Diagnostic {
	_, found := parseConfig(s.Config)
	return found
}
