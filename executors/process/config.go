package process

import (
	"encoding/json"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/executors/internal/specfields"
	"github.com/davit-run/davit/shared/executor"
)

// Config is a backend's config block.
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
	found := settings.Decode(body, &c, "config")
	if len(found) > 0 {
		return c, found
	}
	found = append(found, fields.Check(c.Ignore)...)
	if p := c.CgroupParent; p != "" && (!filepath.IsAbs(p) || filepath.Clean(p) != p || p == "/") {
		found.Add("cgroup_parent", "give a path such as /davit", "%q is not the path of a cgroup", p)
	}
	return c, found
}

func validate(s executor.Settings) []executor.Diagnostic {
	_, found := parseConfig(s.Config)
	return found
}
