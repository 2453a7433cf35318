package networks

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// withoutRights says that this process lacks CAP_NET_ADMIN.
const withoutRights = "DAVIT_TEST_WITHOUT_RIGHTS"

// TestWithoutRights has a host without CAP_NET_ADMIN: networks are refused in one line that says
// what lacks, and nothing is left of them; a container without a network has its loopback.
func TestWithoutRights(t *testing.T) {
	need(t)
	if os.Getenv(withoutRights) == "" {
		runtime.LockOSThread() // and the thread ends with the test
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_ADMIN, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestWithoutRights$", "-test.v")
		cmd.Env = append(os.Environ(), withoutRights+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestWithoutRights") {
			t.Errorf("without CAP_NET_ADMIN: %v\n%s", err, out)
		}
		return
	}
	m, done := open(t, t.TempDir())
	for _, name := range []string{api.DefaultNetwork, "web"} {
		_, err := m.Create(t.Context(), api.NetworkOptions{Name: name})
		if name == api.DefaultNetwork {
			_, err = m.create("a", name, "")
		}
		for _, want := range []string{"operation not permitted", "the host needs CAP_NET_ADMIN", "--network none and host work without", "--network user"} {
			if executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("network %s: got %v, want %q in one line", name, err, want)
			}
		}
	}
	found, err := m.Obstacles()
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Message, "the host needs CAP_NET_ADMIN") {
		t.Errorf("what is in the way is %v, %v", found, err)
	}
	for _, mode := range []string{ocispec.NetworkHost, "web"} {
		if path, ok := m.Alone(mode, "b"); ok {
			t.Errorf("network %s is %s", mode, path)
		}
	}
	path, ok := m.Alone(ocispec.NetworkNone, "b")
	if !ok {
		t.Fatal("without a network, the executor makes the namespace")
	}
	c := &store.Container{ID: "b", Network: ocispec.NetworkNone, Alone: true, CreatedAt: time.Now()}
	err = m.store.Update(context.Background(), func(tx *store.Tx) error { return tx.CreateContainer(c, []byte("{}")) })
	if err = errors.Join(err, m.Up(t.Context(), c), m.Up(t.Context(), c)); err != nil {
		t.Fatal(err)
	}
	err = within(path, func() error {
		all, err := net.Interfaces()
		if len(all) != 1 || all[0].Flags&net.FlagUp == 0 {
			t.Errorf("it has the links %+v", all)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	before, _ := os.Stat(path)
	done()
	next, _ := open(t, strings.TrimSuffix(m.dir, "/netns"))
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the next host has another namespace: %v", err)
	}
	if err := next.remove("b"); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(next.dir); err != nil || len(entries) > 0 {
		t.Errorf("left are %v, %v", entries, err)
	}
}

// TestAloneWithRights checks that executors make the namespaces of containers without a network
// where they can.
func TestAloneWithRights(t *testing.T) {
	need(t)
	m, _ := open(t, t.TempDir())
	if path, ok := m.Alone(ocispec.NetworkNone, "a"); ok && os.Getenv(withoutRights) == "" {
		t.Errorf("the host makes %s", path)
	}
}
