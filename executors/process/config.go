package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/specfields"
	"github.com/davit-run/davit/shared/executor"
)

// Config is what a backend's config block may say.
type Config struct {
	Ignore       []string `json:"ignore"`
	CgroupParent string   `json:"cgroup_parent"`
}

func configSchema() executor.Schema {
	return executor.Schema{Attributes: []executor.Attribute{
		fields.Attribute(),
		{
			Name: "cgroup_parent", Type: executor.String,
			Description: "cgroup below which each container gets one of its own; one of the backend's own if absent",
		},
	}}
}

// parseConfig decodes the block, applies the defaults, and checks what can be
// checked without I/O.
func parseConfig(body json.RawMessage) (Config, []executor.Diagnostic) {
	c := Config{Ignore: specfields.Default()}
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
	diags = append(diags, fields.Check(c.Ignore)...)
	if p := c.CgroupParent; p != "" && (!filepath.IsAbs(p) || filepath.Clean(p) != p || p == "/") {
		bad("cgroup_parent", "give a path such as /davit", "%q is not the path of a cgroup", p)
	}
	return c, diags
}

func validate(s executor.Settings) []executor.Diagnostic {
	_, diags := parseConfig(s.Config)
	return diags
}
