package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/davit-run/davit/shared/executor"
)

// Config is what a backend's config block may say.
type Config struct {
	Ignore       []string `json:"ignore"`
	CgroupParent string   `json:"cgroup_parent"`
}

// usual in Config.Ignore stands for the isolation that container specs have
// without being asked for it: see usualValue.
const usual = "usual"

func configSchema() executor.Schema {
	return executor.Schema{Attributes: []executor.Attribute{
		{
			Name: "ignore", Type: executor.Strings, Default: json.RawMessage(`["` + usual + `"]`),
			Description: `fields of the OCI spec, such as "mounts" or "linux.seccomp", that are passed over and not refused; "` + usual + `" is the isolation that every container asks for`,
		},
		{
			Name: "cgroup_parent", Type: executor.String,
			Description: "cgroup below which each container gets one of its own; one of the backend's own if absent",
		},
	}}
}

// parseConfig decodes the block, applies the defaults, and checks what can be
// checked without I/O.
func parseConfig(body json.RawMessage) (Config, []executor.Diagnostic) {
	c := Config{Ignore: []string{usual}}
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
	known := ignorable()
	for _, name := range c.Ignore {
		if !slices.Contains(known, name) {
			bad("ignore", fmt.Sprintf("did you mean %q? Fields are named as in the OCI runtime spec, from its top", nearest(name, known)), "%q is no field of the OCI spec that can be ignored", name)
		}
	}
	if p := c.CgroupParent; p != "" && (!filepath.IsAbs(p) || filepath.Clean(p) != p || p == "/") {
		bad("cgroup_parent", "give a path such as /davit", "%q is not the path of a cgroup", p)
	}
	return c, diags
}

func validate(s executor.Settings) []executor.Diagnostic {
	_, diags := parseConfig(s.Config)
	return diags
}

// nearest gives the name that is most like a wrong one. Of a path, the last part
// alone may have been given.
func nearest(name string, known []string) string {
	distance := func(k string) int {
		d := levenshtein.Distance(name, k, nil)
		if last := k[strings.LastIndexByte(k, '.')+1:]; last != k {
			d = min(d, 1+levenshtein.Distance(name, last, nil))
		}
		return d
	}
	return slices.MinFunc(known, func(a, b string) int { return distance(a) - distance(b) })
}
