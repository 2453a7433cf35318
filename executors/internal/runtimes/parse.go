package runtimes

import (
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/shared/executor"
)

// parse reads one runtime block and checks all that can be checked offline.
func (t *Table) parse(s executor.RuntimeSettings) (Resolved, []executor.Diagnostic) {
	var b block
	if found := settings.Decode(s.Body, &b, "runtime", s.Name); len(found) > 0 {
		return Resolved{}, found
	}
	r := Resolved{Shim: b.Shim, Path: b.Path, Args: b.Args}
	if r.Shim == "" {
		r.Shim = t.stockShim(s.Name)
	}
	if b.Options != nil {
		r.Options = *b.Options
	}
	c := checker{runtime: s.Name}
	c.shim(b.Shim)
	c.path(r)
	c.options(r)
	c.config(r)
	if gvisor := strings.HasPrefix(shimFile(r.Shim), "containerd-shim-runsc-"); gvisor && r.Options.ConfigPath != nil && r.Options.TypeURL == nil {
		r.Options.TypeURL = new("io.containerd.runsc.v1.options") // older ones insist
	}
	return r, c.found
}

// CheckShim returns what is wrong with the value of an attribute that names a shim,
// and what to do. Both are empty if nothing is wrong.
func CheckShim(shim string) (message, hint string) {
	if filepath.IsAbs(shim) || LooksLikeShim(shim) {
		return "", ""
	}
	if strings.HasPrefix(shim, "containerd-shim") {
		return fmt.Sprintf("%q is the name of a binary", shim), "give the shim's name, such as " + ShimRuncV2 + ", or the absolute path of the binary"
	}
	return fmt.Sprintf("%q is neither a shim's name nor an absolute path", shim), "a shim's name has the form io.containerd.NAME.vN, such as " + ShimRuncV2
}

// checker collects the findings about one block.
type checker struct {
	runtime string
	found   []executor.Diagnostic
}

func (c *checker) add(message, hint string, path ...string) {
	c.found = append(c.found, finding(message, hint, append([]string{"runtime", c.runtime}, path...)...))
}

func (c *checker) shim(shim string) {
	if shim == "" {
		return
	}
	if message, hint := CheckShim(shim); message != "" {
		c.add(message, hint, "shim")
	}
}

func (c *checker) path(r Resolved) {
	if r.Path == "" {
		if len(r.Args) > 0 {
			c.add("args are given without a path", "set path to the OCI binary that the args are for", "args")
		}
		return
	}
	if !r.Kind().takesPath() {
		c.add(fmt.Sprintf("the shim %s runs no OCI binary of our choice", r.Shim), "remove path, or use the shim "+ShimRuncV2, "path")
	}
	if strings.Contains(r.Path, "/") && !filepath.IsAbs(r.Path) {
		c.add(fmt.Sprintf("%q is a relative path", r.Path), "give an absolute path, or a bare name to be looked up on PATH", "path")
	}
	for _, s := range append([]string{r.Path}, r.Args...) {
		if strings.ContainsRune(s, 0) {
			c.add("a NUL byte cannot be passed to a program", "", "path")
		}
	}
}

// applies lists the kinds of shims that know an option. Both runc and linux know the
// options that are not listed.
var applies = map[string][]Kind{
	"criu_path":   {KindLinux},
	"type_url":    {KindGeneric},
	"config_path": {KindGeneric},
	"config_body": {KindGeneric},
}

func (c *checker) options(r Resolved) {
	o := reflect.ValueOf(r.Options)
	for i := range o.NumField() {
		if o.Field(i).IsNil() {
			continue
		}
		name, _, _ := strings.Cut(o.Type().Field(i).Tag.Get("json"), ",")
		c.option(r, name, o.Field(i).Elem())
	}
	if r.Options.ConfigPath != nil && r.Options.ConfigBody != nil {
		c.add("config_path and config_body exclude each other", "remove one of them", "options", "config_body")
	}
}

// config refuses a configuration that would be passed on and have no effect.
func (c *checker) config(r Resolved) {
	o := r.Options
	switch file := shimFile(r.Shim); {
	case o.ConfigBody != nil && o.ConfigPath == nil && (strings.HasPrefix(file, "containerd-shim-runsc-") || strings.HasPrefix(file, "containerd-shim-kata-")):
		c.add(fmt.Sprintf("the shim %s does not read config_body", r.Shim), "write it to a file, and name that in config_path", "options", "config_body")
	case o.TypeURL != nil && o.ConfigPath == nil && o.ConfigBody == nil:
		c.add("type_url is the type of a configuration, and there is none", "add config_path or config_body, or remove type_url", "options", "type_url")
	}
	for name, value := range map[string]*string{"config_path": o.ConfigPath, "config_body": o.ConfigBody, "type_url": o.TypeURL} {
		if value != nil && *value == "" {
			c.add(name+" is empty, and so would not be passed on", "remove it", "options", name)
		}
	}
}

// shimFile returns the name of a shim's program.
func shimFile(shim string) string { return filepath.Base(ShimBinary(shim)) }

func (c *checker) option(r Resolved, name string, v reflect.Value) {
	kinds, ok := applies[name]
	if !ok {
		kinds = []Kind{KindRunc, KindLinux}
	}
	known := false
	for _, k := range kinds {
		known = known || k == r.Kind()
	}
	if !known {
		c.add(fmt.Sprintf("the shim %s has no option %s", r.Shim, name), "options of this shim: "+strings.Join(optionsOf(r.Kind()), ", "), "options", name)
		return
	}
	switch name {
	case "root", "criu_path", "criu_image_path", "criu_work_path", "config_path":
		if !filepath.IsAbs(v.String()) {
			c.add(fmt.Sprintf("%q is not an absolute path", v.String()), "", "options", name)
		}
	case "io_uid", "io_gid":
		if n := v.Int(); n < 0 || n > math.MaxUint32 {
			c.add(fmt.Sprintf("%d is not an id", n), "ids are 0 to 4294967295", "options", name)
		}
	}
}

// optionsOf lists the options that a kind of shim knows.
func optionsOf(k Kind) []string {
	var names []string
	for _, a := range Schema().Blocks[0].Attributes {
		kinds, ok := applies[a.Name]
		if !ok {
			kinds = []Kind{KindRunc, KindLinux}
		}
		for _, known := range kinds {
			if known == k {
				names = append(names, a.Name)
			}
		}
	}
	return names
}
