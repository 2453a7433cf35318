package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// Config is what the config blocks of these executors have in common. An
// executor's own config embeds it.
type Config struct {
	Namespace             string `json:"namespace"`
	DefaultShim           string `json:"default_shim"`
	AllowUnconfiguredShim bool   `json:"allow_unconfigured_shims"`
	CgroupParent          string `json:"cgroup_parent"`
	SystemdCgroup         bool   `json:"systemd_cgroup"`
}

// DefaultConfig gives the config of a block that says nothing.
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
		{Name: "systemd_cgroup", Type: executor.Bool, Default: json.RawMessage(`false`), Description: "let systemd make the cgroups, unless a runtime says otherwise"},
	}
}

// Findings collects what is wrong with a config block.
type Findings []executor.Diagnostic

// Add adds a finding about an attribute.
func (f *Findings) Add(attribute, hint, format string, args ...any) {
	*f = append(*f, executor.Diagnostic{
		Severity: executor.SeverityError, Path: []string{"config", attribute}, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// DecodeConfig reads a config block into the struct that into points to, and
// allows nothing that the struct does not have.
func DecodeConfig(body json.RawMessage, into any) Findings {
	if len(body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return Findings{{Severity: executor.SeverityError, Path: []string{"config"}, Message: err.Error()}}
	}
	return nil
}

var namespaceForm = runtimes.Regexp(`^[A-Za-z0-9]+([_.-][A-Za-z0-9]+)*$`)

// Check checks what can be checked without I/O.
func (c Config) Check(found *Findings) {
	if len(c.Namespace) > 76 || !namespaceForm().MatchString(c.Namespace) {
		found.Add("namespace", "use up to 76 letters, digits and single inner dashes, dots and underscores", "%q cannot be a namespace", c.Namespace)
	}
	if message, hint := runtimes.CheckShim(c.DefaultShim); message != "" {
		found.Add("default_shim", hint, "%s", message)
	}
	switch slice := strings.HasSuffix(c.CgroupParent, ".slice"); {
	case c.CgroupParent == "":
	case c.SystemdCgroup && !slice:
		found.Add("cgroup_parent", "with systemd_cgroup give the name of a slice, such as davit.slice", "%q is not a slice", c.CgroupParent)
	case !c.SystemdCgroup && !filepath.IsAbs(c.CgroupParent):
		found.Add("cgroup_parent", "give a path from the root of the cgroup hierarchy, such as /davit", "%q is not an absolute path", c.CgroupParent)
	}
}

// Table makes the runtime table. root is where OCI binaries keep their state.
func (c Config) Table(s executor.Settings, root string) (*runtimes.Table, []executor.Diagnostic) {
	return runtimes.New(runtimes.Defaults{
		Runtime:           s.DefaultRuntime,
		Shim:              c.DefaultShim,
		Root:              root,
		SystemdCgroup:     c.SystemdCgroup,
		AllowUnconfigured: c.AllowUnconfiguredShim,
	}, s.Runtimes)
}
