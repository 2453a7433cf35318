package containerd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// TestNamespaceNotSeen has a containerd in a mount namespace of its own, which does not see a
// network namespace that is made after it, and one that does.
func TestNamespaceNotSeen(t *testing.T) {
	d := startDaemon(t, realtest.V16)
	d.Kill()
	d.StartApart()
	f := on(t, d)
	path := filepath.Join(f.dir, "netns")
	err := os.WriteFile(path, nil, 0o600)
	if err == nil {
		err = unix.Mount("/proc/self/ns/net", path, "", unix.MS_BIND, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) })
	workload := func(ref executor.Ref) executor.Workload {
		w := f.workload(ref, "", "")
		w.Spec = realtest.Spec(t, f.rootfs, map[string]any{"namespaces": []any{
			map[string]any{"type": "pid"}, map[string]any{"type": "mount"}, map[string]any{"type": "network", "path": path},
		}}, "sh", "-c", "readlink /proc/self/ns/net")
		return w
	}
	ref := executor.Ref{ID: "unseen", Attempt: 1}
	_, err = f.b.Create(t.Context(), workload(ref))
	for _, want := range []string{"does not see the namespace " + path, "in another mount namespace than davit", "--network none or host"} {
		if executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	d.Kill()
	d.Start()
	ref.ID = "seen"
	if _, err := f.b.Create(t.Context(), workload(ref)); err != nil {
		t.Fatal(err)
	}
	f.host.WaitReleased(t, ref)
	if own, err := os.Readlink("/proc/self/ns/net"); err != nil || strings.TrimSpace(f.streams.Output(ref, "out")) != own {
		t.Errorf("it is in %q, and is to be in %q (%v)", f.streams.Output(ref, "out"), own, err)
	}
}
