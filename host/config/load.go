package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/linux"
)

// MaxFileSize bounds a config file, in bytes. Larger configs take several files.
const MaxFileSize = 64 << 10

// Load reads a config from files and directories. A directory stands for its files *.hcl
// in the order of their names, without hidden ones. Several files make one config: each
// attribute may be set, and each backend defined, in one of them only.
//
// The Config has no defaults filled in, see [Config.WithDefaults]. It is never nil, so
// that more can be checked and reported. It may be used only if the Diagnostics have no
// errors. They include those of [Config.Validate].
func Load(paths ...string) (*Config, diag.Diagnostics) {
	var diags diag.Diagnostics
	var files []string
	for _, path := range paths {
		found, err := expand(path)
		if err != nil {
			diags.Fail(diag.Range{File: path}, "", "%v", reason(err))
		}
		files = append(files, found...)
	}
	if len(paths) == 0 {
		diags.Fail(diag.Range{}, "name a file or a directory", "no config file was given")
	}
	root := &body{}
	if len(paths) == 1 {
		root.at.File = paths[0]
	}
	for _, file := range files {
		text, err := read(file)
		if err != nil {
			diags.Fail(diag.Range{File: file}, "", "%v", reason(err))
			continue
		}
		b, found := parseHCL(text, file)
		diags = append(diags, found...)
		root.items = append(root.items, b.items...)
	}
	return build(root, diags)
}

// Parse reads a config from the text of one file. Messages call it filename. Relative
// paths are resolved against filename's directory. Parse reads no file.
func Parse(text []byte, filename string) (*Config, diag.Diagnostics) {
	if len(text) > MaxFileSize {
		var diags diag.Diagnostics
		diags.Fail(diag.Range{File: filename}, "", "%v", errTooLarge)
		return &Config{}, diags
	}
	return build(parseHCL(text, filename))
}

// expand returns the files that a path stands for.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // in the order of names
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".hcl") && name[0] != '.' && !e.IsDir() {
			files = append(files, filepath.Join(path, name))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no file *.hcl in this directory")
	}
	return files, nil
}

var errTooLarge = fmt.Errorf("a config file has at most %d bytes", MaxFileSize)

func read(file string) ([]byte, error) {
	f, err := linux.Open(file, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err == nil && len(text) > MaxFileSize {
		return nil, errTooLarge
	}
	return text, err
}

// reason returns an error without its path, which is in the Range.
func reason(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("cannot be read: %w", e.Err)
	}
	return err
}

// build returns the Config with the items of all files.
func build(root *body, diags diag.Diagnostics) (*Config, diag.Diagnostics) {
	c := &Config{source: root}
	unread := diags.HasErrors()
	backends, rest := root.take("backend", &diags)
	c.CNINetworks, rest = takeNetworks(rest, &diags)
	c.Rules, rest = takeRules(rest, &diags)
	fill(c, decode(fileSchema(), rest, "", &diags), root.at, &diags)
	for _, it := range backends {
		c.Backends = append(c.Backends, buildBackend(it, &diags))
	}
	resolvePaths(c, rest, &diags)
	if !unread { // else it would miss what is there
		diags = append(diags, c.Validate()...)
	}
	return c, diags.Sorted()
}

func buildBackend(it item, diags *diag.Diagnostics) Backend {
	where := fmt.Sprintf("backend %q", it.labels[0])
	b := Backend{source: it.value.(*body)}
	runtimes, rest := b.source.take("runtime", diags)
	config := rest.find("config")
	if config != nil && config.form == block && len(config.labels) == 0 {
		b.Config = config.value
		config.value = &body{} // checked against the executor's schema later
	}
	fill(&b, decode(backendSchema(), rest, where, diags), it.at, diags)
	b.Name = it.labels[0]
	for _, r := range runtimes {
		b.Runtimes = append(b.Runtimes, Runtime{Name: r.labels[0], Body: r.value, at: r.at})
	}
	return b
}

// take splits the items of b into the blocks of a kind, each of which has one name, and
// the rest.
func (b *body) take(kind string, diags *diag.Diagnostics) (blocks []item, rest *body) {
	rest = &body{at: b.at}
	for _, it := range b.items {
		switch {
		case it.name != kind || it.form != block:
			rest.items = append(rest.items, it)
		case len(it.labels) != 1:
			diags.Fail(it.at, fmt.Sprintf("write %s \"NAME\" { … }", kind), "a %s has one name, this one has %d", kind, len(it.labels))
		default:
			blocks = append(blocks, it)
		}
	}
	return blocks, rest
}

// fill sets the fields of a struct from a checked JSON object.
func fill(target any, raw json.RawMessage, at diag.Range, diags *diag.Diagnostics) {
	if err := json.Unmarshal(raw, target); err != nil { // the schemas agree with the structs
		diags.Fail(at, "", "cannot be decoded: %v", err)
	}
}

// resolvePaths makes relative paths absolute.
func resolvePaths(c *Config, root *body, diags *diag.Diagnostics) {
	resolve := func(path *string, at *item) {
		if at == nil || at.value == nil {
			return
		}
		if *path == "" {
			if s, ok := at.value.(string); ok && s == "" {
				diags.Fail(at.place, "leave it out for the default", "%q is empty", at.name)
			}
			return
		}
		if filepath.IsAbs(*path) {
			return
		}
		abs, err := filepath.Abs(filepath.Join(filepath.Dir(at.at.File), *path))
		if err != nil {
			diags.Fail(at.place, "write an absolute path", "%q cannot be resolved: %v", at.name, err)
			return
		}
		*path = abs
	}
	resolve(&c.StateDir, root.find("state_dir"))
	resolve(&c.RunDir, root.find("run_dir"))
	for i := range c.ExecutorDirs {
		resolve(&c.ExecutorDirs[i], root.find("executor_dirs"))
	}
	within := func(path *string, root *body, block, name string) {
		if it := root.find(block); it != nil {
			if b, ok := it.value.(*body); ok {
				resolve(path, b.find(name))
			}
		}
	}
	within(&c.API.Socket, root, "api", "socket")
	if it := root.find("api"); it != nil && c.API.TLS != nil {
		api, _ := it.value.(*body)
		for name, path := range map[string]*string{"certificate": &c.API.TLS.Certificate, "key": &c.API.TLS.Key, "client_ca": &c.API.TLS.ClientCA} {
			if *path != "" { // there is no default
				within(path, api, "tls", name)
			}
		}
	}
	for i := range c.CNINetworks {
		n := &c.CNINetworks[i]
		if n.Conflist != "" { // there is no default
			resolve(&n.Conflist, n.source.find("conflist"))
		}
		for j := range n.PluginDirs {
			resolve(&n.PluginDirs[j], n.source.find("plugin_dirs"))
		}
	}
	for i := range c.Backends {
		within(profilePath(&c.Backends[i].Defaults), c.Backends[i].source, "defaults", "seccomp_profile")
	}
	within(profilePath(&c.Defaults), root, "defaults", "seccomp_profile")
}

// profilePath returns where d has the path of a seccomp profile. A word is none.
func profilePath(d *Defaults) *string {
	if word := d.SeccompProfile; word == ocispec.SeccompBuiltin || word == ocispec.SeccompUnconfined {
		return &word
	}
	return &d.SeccompProfile
}
