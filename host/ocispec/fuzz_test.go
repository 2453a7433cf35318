package ocispec_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// FuzzFromBundle looks for a config.json that panics, whose spec is not what a
// decoder that ignores case makes of it, or whose rootfs lies outside.
func FuzzFromBundle(f *testing.F) {
	for _, s := range []string{
		novel, "", "{", "null", "[]", `{"root":{}}`, `{"ociVersion":"1.0.2","process":{"args":["sh"]},"root":{"path":"rootfs"}}`,
		`{"ociVersion":"1.0.2","process":{"args":["sh"],"Args":["x"]},"root":{"path":"../.."}}`,
		`{"ociVersion":"1.0.2","process":{"args":["sh"]},"root":{"path":"rootfs"},"mounts":[null,{"type":"bind","source":"x"}],"linux":null}`,
	} {
		f.Add([]byte(s))
	}
	dir, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	if err := os.MkdirAll(dir+"/rootfs/etc", 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		write(t, dir+"/config.json", string(config))
		raw, err := ocispec.FromBundle(dir, ocispec.Options{
			Env: []string{"A=1"}, Terminal: new(true), MemoryBytes: 1 << 30, PidsLimit: 5, Annotations: map[string]string{"a": "b"},
			User: "1:2", Mounts: []specs.Mount{{Destination: "/proc", Type: "proc"}},
		})
		if err != nil {
			if executor.CodeOf(err) != executor.Invalid {
				t.Errorf("error has the code %s: %v", executor.CodeOf(err), err)
			}
			return
		}
		var before, after specs.Spec
		if err := json.Unmarshal(raw, &after); err != nil {
			t.Fatalf("spec %s: %v", raw, err)
		}
		if err := json.Unmarshal(config, &before); err != nil {
			t.Fatalf("accepted %q: %v", config, err)
		}
		if !reflect.DeepEqual(before.Process.Args, after.Process.Args) || !filepath.IsAbs(after.Root.Path) ||
			!filepath.IsAbs(before.Root.Path) && after.Root.Path != dir+"/rootfs" && after.Root.Path != dir+"/rootfs/etc" ||
			after.Process.User.UID != 1 || *after.Linux.Resources.Pids.Limit != 5 || after.Annotations["a"] != "b" {
			t.Errorf("config.json %s\nbecame %s", config, raw)
		}
	})
}

// FuzzParse looks for flag values that panic, or that are accepted and refused
// later.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"/a:/b:ro", "type=bind,src=/a,dst=/b", "type=tmpfs,dst=/b,tmpfs-size=1g", "512m", "1.5", "1e300g", "\"", "::", "/dev/a:/b:rw", "net.a=b", "/t:size=1m,mode=1777"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var o ocispec.Options
		if m, err := ocispec.ParseVolume(value); err == nil {
			o.Mounts = []specs.Mount{m}
		} else if m, err := ocispec.ParseMount(value); err == nil {
			o.Mounts = []specs.Mount{m}
		}
		if n, err := ocispec.ParseMemory(value); err == nil {
			o.MemoryBytes = n
		}
		if n, err := ocispec.ParseCPUs(value); err == nil {
			o.CPUs = n
		}
		if e, err := ocispec.ParseEnv(value, func(string) (string, bool) { return "", false }); err == nil && e != "" {
			o.Env = []string{e}
		}
		if m, err := ocispec.ParseTmpfs(value); err == nil {
			o.Mounts = append(o.Mounts[:0], m)
		}
		if d, err := ocispec.ParseDevice(value); err == nil {
			o.Devices = []ocispec.Device{d}
		}
		if name, setting, err := ocispec.ParseSysctl(value); err == nil {
			o.Sysctls = map[string]string{name: setting}
		}
		if err := o.Validate(); err != nil {
			t.Errorf("%q was accepted as %+v, which is refused: %v", value, o, err)
		}
	})
}
