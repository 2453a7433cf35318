package oci

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestCheckTmpfsModes(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"/dev", "/dev/shm", "/have"} {
		if err := os.Mkdir(root+dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, mounts, version string
		want                  executor.Code
	}{
		{"none", `[]`, "1.1.5", ""},
		{"new directory", `[{"destination":"/new","type":"tmpfs","options":["mode=1777"]}]`, "1.1.5", ""},
		{"another mode", `[{"destination":"/have","type":"tmpfs","options":["nosuid","mode=1777"]}]`, "1.1.5", executor.FailedPrecondition},
		{"the same mode", `[{"destination":"/have","type":"tmpfs","options":["mode=0711"]}]`, "1.1.5", ""},
		{"a newer runc", `[{"destination":"/have","type":"tmpfs","options":["mode=1777"]}]`, "1.1.8", ""},
		{"as every container has", `[{"destination":"/dev","type":"tmpfs","options":["mode=755"]}]`, "1.1.5", ""},
		{"in another mount", `[{"destination":"/dev","type":"tmpfs"},{"destination":"/dev/shm","type":"tmpfs","options":["mode=1777"]}]`, "1.1.5", ""},
		{"no mode", `[{"destination":"/have","type":"tmpfs"}]`, "1.1.5", ""},
	} {
		spec := Spec{JSON: json.RawMessage(`{"root":{"path":"` + root + `"},"mounts":` + tt.mounts + `}`)}
		err := CheckTmpfsModes(spec, "/usr/sbin/runc", func() string { return tt.version })
		if executor.CodeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}
