package ocispec_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// TestInit has an init on PATH that is static, one that is not, and none.
func TestInit(t *testing.T) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip(err)
	}
	rootfs := bundle(t, "") + "/rootfs"
	install := func(program, name string) string {
		t.Helper()
		dir := t.TempDir()
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	static, dynamic := install(busybox, "catatonit"), install("/bin/sh", "tini-static")
	t.Setenv("PATH", dynamic+":"+static)
	spec := fromRootfs(t, rootfs, ocispec.Options{Init: true})
	if want := []string{"/dev/init", "--", "sh"}; !slices.Equal(spec.Process.Args, want) {
		t.Errorf("got %q, want %q", spec.Process.Args, want)
	}
	o := ocispec.Options{Init: true}
	if got := o.WithoutInit(spec.Process.Args); !slices.Equal(got, []string{"sh"}) {
		t.Errorf("the command is %q", got)
	}
	if last := spec.Mounts[len(spec.Mounts)-1]; last.Destination != "/dev/init" || last.Source != filepath.Join(static, "catatonit") || !slices.Contains(last.Options, "ro") {
		t.Errorf("got the mount %+v", last)
	}
	for path, want := range map[string]string{dynamic: "needs libraries", t.TempDir(): "none is installed"} {
		t.Setenv("PATH", path)
		_, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh"}, Init: true})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "install tini-static") {
			t.Errorf("got %v, want %q and what to do", err, want)
		}
	}
	o = ocispec.Options{Args: []string{"sh"}, Init: true, PID: ocispec.NamespaceHost}
	if err := o.Validate(); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("with the host's processes: got %v", err)
	}
}
