package realtest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/shared/linux"
)

// Rootfs makes a root file system with busybox in it.
func Rootfs(t testing.TB) string {
	t.Helper()
	Need(t, "/bin/busybox")
	root := filepath.Join(Dir(t), "rootfs")
	for _, dir := range []string{"bin", "proc", "dev", "sys", "tmp", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	if err := linux.WriteProgram(filepath.Join(root, "bin/busybox"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "true", "false", "echo", "cat", "sleep", "kill", "head", "tail", "dd", "seq", "yes", "id", "env"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Spec makes an OCI spec that runs args in rootfs. The fields of edit replace
// those of the same name in the spec's linux section.
func Spec(t testing.TB, rootfs string, linux map[string]any, args ...string) json.RawMessage {
	t.Helper()
	section := map[string]any{
		"namespaces": []map[string]string{{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}},
	}
	maps.Copy(section, linux)
	b, err := json.Marshal(map[string]any{
		"ociVersion": "1.0.2",
		"process": map[string]any{
			"user": map[string]int{"uid": 0, "gid": 0},
			"args": args,
			"env":  []string{"PATH=/bin"},
			"cwd":  "/",
			"capabilities": map[string]any{
				"bounding": []string{"CAP_KILL"}, "effective": []string{"CAP_KILL"}, "permitted": []string{"CAP_KILL"},
			},
		},
		"root": map[string]any{"path": rootfs},
		"mounts": []map[string]any{
			{"destination": "/proc", "type": "proc", "source": "proc"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755", "size=65536k"}},
		},
		"linux": section,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// WithHook adds a hook to a spec: a script of the host's shell.
func WithHook(t testing.TB, spec json.RawMessage, kind, script string) json.RawMessage {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal(spec, &s); err != nil {
		t.Fatal(err)
	}
	s["hooks"] = map[string]any{kind: []map[string]any{{"path": "/bin/sh", "args": []string{"sh", "-c", script}}}}
	spec, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}
