package engine

import (
	"github.com/davit-run/davit/executors/wasm/internal/guestfs"
)

// Plan says what to run.
type Plan struct {
	// Args begins with the command, by which [Load] finds the module.
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	// Cwd is absolute. WASI has no working directory; the module sees it as PWD.
	Cwd    string          `json:"cwd,omitempty"`
	Mounts []guestfs.Mount `json:"mounts"`
	// ModuleDirs are directories of the host with modules that may be run.
	ModuleDirs []string `json:"module_dirs,omitempty"`
	// MemoryLimit limits the linear memory, in bytes; 0 is no limit.
	MemoryLimit int64 `json:"memory_limit,omitempty"`
	// Cache is a directory for compiled modules. It may be shared.
	Cache string `json:"cache"`
}
