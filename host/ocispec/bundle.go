package ocispec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/davit-run/davit/host/internal/strict"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// FromBundle returns the spec of an OCI bundle, a directory with a config.json, changed
// by o. The rest of config.json is kept, except that root.path and the sources of bind
// mounts become absolute, since the spec is run from elsewhere. A relative root.path must
// stay in the bundle.
func FromBundle(dir string, o Options) (json.RawMessage, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := cleanPath("bundle", dir); err != nil {
		return nil, err
	}
	dir, err := directory(dir)
	if err != nil {
		return nil, invalid("bundle %w", err)
	}
	raw, err := readConfig(filepath.Join(dir, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, invalid("bundle %q has no config.json; make one with `runc spec`, or run a rootfs without a bundle", dir)
	}
	if err == nil {
		raw, err = bundleSpec(raw, dir, &o)
	}
	if err != nil {
		return nil, invalid("config.json of bundle %q: %w", dir, err)
	}
	return raw, nil
}

// bundleSpec returns the spec for a config.json.
func bundleSpec(raw []byte, dir string, o *Options) (json.RawMessage, error) {
	if i := invalidUTF8(raw); i >= 0 {
		return nil, fmt.Errorf("%s: not UTF-8, as JSON has to be", position(raw, int64(i)+1))
	}
	if err := checkTypes(raw); err != nil {
		return nil, err
	}
	spec, err := parseObject(raw, "")
	if err != nil {
		return nil, err
	}
	var version string
	if _, err := spec.get("ociVersion", &version); err != nil {
		return nil, err
	}
	if version == "" {
		return nil, errors.New(`"ociVersion" is missing, so this is no OCI runtime spec; make one with ` + "`runc spec`")
	}
	for _, name := range []string{"root", "process"} {
		if ok, err := spec.get(name, new(json.RawMessage)); err != nil {
			return nil, err
		} else if !ok {
			return nil, fmt.Errorf("%q is missing; `runc spec` shows what it must hold", name)
		}
	}
	rootfs, err := bundleRootfs(spec, dir)
	if err != nil {
		return nil, err
	}
	if err := absoluteSources(spec, dir); err != nil {
		return nil, err
	}
	return o.apply(spec, rootfs)
}

// readConfig reads a config.json of at most executor.MaxSpecSize.
func readConfig(path string) ([]byte, error) {
	f, err := linux.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, reason(err)
	case info.Size() > executor.MaxSpecSize:
		return nil, fmt.Errorf("it has %d bytes, at most %d are allowed", info.Size(), executor.MaxSpecSize)
	}
	raw, err := io.ReadAll(io.LimitReader(f, executor.MaxSpecSize)) // also if it grows
	if err != nil {
		return nil, reason(err)
	}
	return raw, nil
}

// checkTypes reports where a document is not JSON, or where a value that the
// spec knows has the wrong type.
func checkTypes(raw []byte) error {
	err := json.Unmarshal(raw, &specs.Spec{})
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%s: %w", position(raw, syntax.Offset), err)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		what := "the document"
		if wrong.Field != "" {
			what = strconv.Quote(wrong.Field)
		}
		return fmt.Errorf("%s: %s has a value of the wrong type: %s", position(raw, wrong.Offset), what, wrong.Value)
	}
	if err == nil {
		err = strict.Check(raw, reflect.TypeFor[specs.Spec]())
	}
	return err
}

// invalidUTF8 returns where a text is not UTF-8, or -1. A JSON decoder silently puts
// other characters there, and then other files are meant.
func invalidUTF8(raw []byte) int {
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// position returns the line and column of the byte before an offset.
func position(raw []byte, offset int64) string {
	before := string(raw[:min(max(offset, 1), int64(len(raw)))])
	line := strings.Count(before, "\n") + 1
	return fmt.Sprintf("line %d, column %d", line, len(before)-strings.LastIndex(before, "\n")-1)
}

// bundleRootfs returns the directory that root.path names.
func bundleRootfs(spec *object, dir string) (string, error) {
	root, err := spec.object("root")
	if err != nil {
		return "", err
	}
	var path string
	if _, err := root.get("path", &path); err != nil {
		return "", err
	}
	if path == "" {
		return "", errors.New(`"root.path" is missing; name the directory of the root file system, usually "rootfs"`)
	}
	relative := !filepath.IsAbs(path)
	if relative {
		path = filepath.Join(dir, path)
	}
	rootfs, err := rootDirectory(path)
	if err != nil {
		return "", fmt.Errorf(`"root.path": %w`, err)
	}
	if relative && rootfs != dir && !strings.HasPrefix(rootfs, strings.TrimSuffix(dir, "/")+"/") {
		return "", fmt.Errorf(`"root.path" leads out of the bundle, to %q; write that path in full if it is meant`, rootfs)
	}
	return rootfs, nil
}

// absoluteSources makes the sources of bind mounts absolute.
func absoluteSources(spec *object, dir string) error {
	var mounts []json.RawMessage
	if _, err := spec.get("mounts", &mounts); err != nil {
		return err
	}
	changed := false
	for i, raw := range mounts {
		mount, err := parseObject(raw, fmt.Sprintf("mounts[%d]", i))
		if err != nil {
			return err
		}
		var m specs.Mount
		for name, value := range map[string]any{"type": &m.Type, "source": &m.Source, "options": &m.Options} {
			if _, err := mount.get(name, value); err != nil {
				return err
			}
		}
		if !isBind(m.Type, m.Options) || m.Source == "" || filepath.IsAbs(m.Source) {
			continue
		}
		if err := mount.set("source", filepath.Join(dir, m.Source)); err != nil {
			return err
		}
		if mounts[i], err = json.Marshal(mount); err != nil {
			return err
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return spec.set("mounts", mounts)
}

// isBind reports whether a mount is a bind mount, whose source is a path.
func isBind(kind string, options []string) bool {
	return kind == "bind" || slices.Contains(options, "bind") || slices.Contains(options, "rbind")
}
