package shim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// Config is what a backend's config block may say.
type Config struct {
	ShimDirs              []string `json:"shim_dirs"`
	Namespace             string   `json:"namespace"`
	DefaultShim           string   `json:"default_shim"`
	AllowUnconfiguredShim bool     `json:"allow_unconfigured_shims"`
	CgroupParent          string   `json:"cgroup_parent"`
	SystemdCgroup         bool     `json:"systemd_cgroup"`
}

func configSchema() executor.Schema {
	return executor.Schema{Attributes: []executor.Attribute{
		{Name: "shim_dirs", Type: executor.Strings, Description: "directories to look for shims in, before the executor's own shim and PATH"},
		{Name: "namespace", Type: executor.String, Default: json.RawMessage(`"davit"`), Description: "namespace that shims are told"},
		{Name: "default_shim", Type: executor.String, Default: json.RawMessage(`"` + runtimes.ShimRuncV2 + `"`), Description: "shim of the runtimes that name none"},
		{Name: "allow_unconfigured_shims", Type: executor.Bool, Default: json.RawMessage(`false`), Description: "let any name of the form io.containerd.NAME.vN be chosen as a runtime"},
		{Name: "cgroup_parent", Type: executor.String, Description: "cgroup for containers whose spec names none: a path, or with systemd_cgroup a slice; one of the backend's own if absent"},
		{Name: "systemd_cgroup", Type: executor.Bool, Default: json.RawMessage(`false`), Description: "let systemd make the cgroups, unless a runtime says otherwise"},
	}}
}

var namespaceForm = regexp.MustCompile(`^[A-Za-z0-9]+([_.-][A-Za-z0-9]+)*$`)

// parseConfig decodes the block, applies the defaults, and checks what can be
// checked without I/O.
func parseConfig(body json.RawMessage) (Config, []executor.Diagnostic) {
	c := Config{Namespace: "davit", DefaultShim: runtimes.ShimRuncV2}
	var diags []executor.Diagnostic
	bad := func(attribute, hint, format string, args ...any) {
		diags = append(diags, executor.Diagnostic{
			Severity: executor.SeverityError, Path: []string{"config", attribute}, Message: fmt.Sprintf(format, args...), Hint: hint,
		})
	}
	if len(body) > 0 {
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			return c, []executor.Diagnostic{{Severity: executor.SeverityError, Path: []string{"config"}, Message: err.Error()}}
		}
	}
	for _, dir := range c.ShimDirs {
		if !filepath.IsAbs(dir) {
			bad("shim_dirs", "give the absolute paths of directories", "%q is not an absolute path", dir)
		}
	}
	if len(c.Namespace) > 76 || !namespaceForm.MatchString(c.Namespace) {
		bad("namespace", "use up to 76 letters, digits and single inner dashes, dots and underscores", "%q cannot be a namespace", c.Namespace)
	}
	if message, hint := runtimes.CheckShim(c.DefaultShim); message != "" {
		bad("default_shim", hint, "%s", message)
	}
	switch slice := strings.HasSuffix(c.CgroupParent, ".slice"); {
	case c.CgroupParent == "":
	case c.SystemdCgroup && !slice:
		bad("cgroup_parent", "with systemd_cgroup give the name of a slice, such as davit.slice", "%q is not a slice", c.CgroupParent)
	case !c.SystemdCgroup && !filepath.IsAbs(c.CgroupParent):
		bad("cgroup_parent", "give a path from the root of the cgroup hierarchy, such as /davit", "%q is not an absolute path", c.CgroupParent)
	}
	return c, diags
}

// table makes the runtime table. root is where OCI binaries keep their state.
func (c Config) table(s executor.Settings, root string) (*runtimes.Table, []executor.Diagnostic) {
	return runtimes.New(runtimes.Defaults{
		Runtime:           s.DefaultRuntime,
		Shim:              c.DefaultShim,
		Root:              root,
		SystemdCgroup:     c.SystemdCgroup,
		AllowUnconfigured: c.AllowUnconfiguredShim,
	}, s.Runtimes)
}

// validate is the executor's Validate.
func validate(s executor.Settings) []executor.Diagnostic {
	c, diags := parseConfig(s.Config)
	_, more := c.table(s, "/")
	return append(diags, more...)
}
