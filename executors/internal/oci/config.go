package oci

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// Config is what the config blocks of these executors have in common. An
// executor's own config embeds it.
type Config struct {
	Namespace             string `json:"namespace"`
	DefaultShim           string `json:"default_shim"`
	AllowUnconfiguredShim bool   `json:"allow_unconfigured_shims"`
	CgroupParent          string `json:"cgroup_parent"`
	SystemdCgroup         *bool  `json:"systemd_cgroup"`
}

// DefaultConfig returns the config of an empty block.
func DefaultConfig() Config {
	return Config{Namespace: "davit", DefaultShim: runtimes.ShimRuncV2}
}

// ConfigAttributes declares the fields of [Config].
func ConfigAttributes() []executor.Attribute {
	return []executor.Attribute{
		{Name: "namespace", Type: executor.String, Default: json.RawMessage(`"davit"`), Description: "namespace in containerd, and the one that shims are told"},
		{Name: "default_shim", Type: executor.String, Default: json.RawMessage(`"` + runtimes.ShimRuncV2 + `"`), Description: "shim of the runtimes that name none"},
		{Name: "allow_unconfigured_shims", Type: executor.Bool, Default: json.RawMessage(`false`), Description: "let any name of the form io.containerd.NAME.vN be chosen as a runtime"},
		{Name: "cgroup_parent", Type: executor.String, Description: "cgroup for containers whose spec names none: a path, or with systemd_cgroup a slice; one of the backend's own if absent"},
		{Name: "systemd_cgroup", Type: executor.Bool, Description: "let systemd make the cgroups, unless a runtime or a spec says otherwise; if absent, where systemd runs a machine with cgroup v2, as docker does, or cgroup_parent is a slice"},
	}
}

// Systemd reports whether systemd makes the cgroups of runtimes that do not say.
func (c Config) Systemd() bool {
	switch {
	case c.SystemdCgroup != nil:
		return *c.SystemdCgroup
	case c.CgroupParent != "":
		return isSlice(c.CgroupParent)
	}
	return linux.SystemdRuns() && linux.CgroupsUnified()
}

func isSlice(parent string) bool { return strings.HasSuffix(parent, ".slice") }

var namespaceForm = runtimes.Regexp(`^[A-Za-z0-9]+([_.-][A-Za-z0-9]+)*$`)

// IsNamespace reports whether containerd can have a namespace of a name.
func IsNamespace(name string) bool { return len(name) <= 76 && namespaceForm().MatchString(name) }

// Check checks what can be checked without I/O.
func (c Config) Check(found *settings.Findings) {
	if !IsNamespace(c.Namespace) {
		found.Add("namespace", "use up to 76 letters, digits and single inner dashes, dots and underscores", "%q cannot be a namespace", c.Namespace)
	}
	if message, hint := runtimes.CheckShim(c.DefaultShim); message != "" {
		found.Add("default_shim", hint, "%s", message)
	}
	switch slice := isSlice(c.CgroupParent); {
	case c.CgroupParent == "":
	case c.Systemd() && !slice:
		found.Add("cgroup_parent", "with systemd_cgroup give the name of a slice, such as davit.slice", "%q is not a slice", c.CgroupParent)
	case !c.Systemd() && !filepath.IsAbs(c.CgroupParent):
		found.Add("cgroup_parent", "give a path from the root of the cgroup hierarchy, such as /davit", "%q is not an absolute path", c.CgroupParent)
	}
}

// Table returns the runtime table. root is where OCI binaries keep their state.
func (c Config) Table(s executor.Settings, root string) (*runtimes.Table, []executor.Diagnostic) {
	return runtimes.New(runtimes.Defaults{
		Runtime:           s.DefaultRuntime,
		Shim:              c.DefaultShim,
		Root:              root,
		SystemdCgroup:     c.Systemd(),
		AllowUnconfigured: c.AllowUnconfiguredShim,
	}, s.Runtimes)
}

// ReadSettings reads a backend's settings: its own config, by parse, and its
// runtimes. root is where OCI binaries keep their state. It does no I/O. Config and
// table are valid only if there are no findings.
func ReadSettings[C interface {
	Table(s executor.Settings, root string) (*runtimes.Table, []executor.Diagnostic)
}](s executor.Settings, root string, parse func(json.RawMessage) (C, []executor.Diagnostic)) (C, *runtimes.Table, []executor.Diagnostic) {
	config, found := parse(s.Config)
	table, more := config.Table(s, root)
	return config, table, append(found, more...)
}
