package doctor

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

var _ = add(30, "runtimes", lookAtRuntimes)

// knownRuntimes are the programs that are looked for, and whose holes are known.
var knownRuntimes = []string{"runc", "crun"}

func lookAtRuntimes(ctx context.Context, p *Patient, r *report) {
	paths := p.runtimePaths(ctx)
	if len(paths) == 0 && p.needsRuntime() {
		r.fail("install runc or crun, such as by apt-get install runc", "there is neither runc nor crun on the PATH, and none in use")
		return
	}
	for _, path := range paths {
		text, err := askVersion(ctx, path)
		if err != nil {
			r.fail("install it anew", "%s --version: %v", path, err)
			continue
		}
		program, _, _ := strings.Cut(strings.TrimSpace(text), " ")
		version, shown, changed, ok := parseVersion(text)
		if !ok || !slices.Contains(knownRuntimes, program) {
			r.ok("%s: davit knows nothing of its holes", path)
			continue
		}
		found := holesOf(program, version)
		if changed && len(found) > 0 {
			fixed, ferr := p.fixedBy(program)
			if ferr == nil {
				found = slices.DeleteFunc(found, func(h hole) bool { return strings.Contains(fixed, h.id) })
			}
		}
		reportHoles(r, path, shown, changed, found)
	}
}

// reportHoles says which holes a runtime has.
func reportHoles(r *report, path, shown string, changed bool, found []hole) {
	if len(found) == 0 {
		r.ok("%s %s has no hole that davit knows of", path, shown)
		return
	}
	status, has := Warn, "has"
	upgrade := "install " + remedy(found) + " or later"
	if changed {
		has = "may have"
		upgrade = "upgrade the package, or see the distribution's security tracker: it may have fixed them and kept the version; upstream, they are fixed in " + remedy(found)
	}
	var out, others []string
	for _, h := range found {
		text := h.id + " (" + h.what + ")"
		if h.escape {
			out = append(out, text)
		} else {
			others = append(others, text)
		}
	}
	if len(out) > 0 && !changed {
		status = Fail
	}
	var texts []string
	if len(out) > 0 {
		texts = append(texts, "holes that let containers out: "+strings.Join(out, ", "))
	}
	if len(others) > 0 {
		texts = append(texts, "lesser ones: "+strings.Join(others, ", "))
	}
	r.add(status, upgrade, "%s %s %s %s", path, shown, has, strings.Join(texts, "; "))
}

// runtimePaths returns the runtimes that the running host uses, or those on the PATH.
func (p *Patient) runtimePaths(ctx context.Context) (paths []string) {
	note := func(path string) {
		if path == "" {
			return
		}
		if !strings.Contains(path, "/") {
			path = p.find(path)
		}
		if real, err := filepath.EvalSymlinks(path); err == nil && !slices.Contains(paths, real) {
			paths = append(paths, real)
		}
	}
	if p.host != nil {
		backends, _ := p.Client.Backends(ctx)
		for _, b := range backends {
			all, _ := p.Client.Runtimes(ctx, b.Name) // the check of backends says what is wrong
			for _, one := range all {
				if one.Problem == "" {
					note(one.Path)
				}
			}
		}
	}
	for _, program := range knownRuntimes {
		note(p.find(program))
	}
	return paths
}

// needsRuntime reports whether a backend of the config runs OCI containers.
func (p *Patient) needsRuntime() bool {
	for _, b := range p.Config.Backends {
		if b.Executor == "shim" || b.Executor == "containerd" {
			return true
		}
	}
	return false
}

// maxChangelog bounds what is read of a changelog, in bytes.
const maxChangelog = 4 << 20

// fixedBy returns the changelog of the package that a program is from. Distributions name in
// it what they have fixed.
func (p *Patient) fixedBy(program string) (string, error) {
	b, err := os.ReadFile(p.at("/usr/share/doc/" + program + "/changelog.Debian.gz"))
	if err != nil {
		return "", err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxChangelog))
	return string(text), err
}
