package containers

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// setRecord changes the record of a container.
func setRecord(t *testing.T, m *Manager, id string, change func(*store.Container)) {
	t.Helper()
	err := m.store.Update(t.Context(), func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err != nil {
			return err
		}
		change(c)
		return tx.PutContainer(c)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestJoinsThatCannotBe asks for namespaces of other containers that they do not have.
func TestJoinsThatCannotBe(t *testing.T) {
	m := openManager(t, nil)
	named := func(name string, change func(*api.ContainerOptions)) api.Container {
		opts := program(t, "sleep 600")
		opts.Name = name
		if change != nil {
			change(&opts)
		}
		return mustCreate(t, m, opts)
	}
	plain := named("plain", nil)
	named("machine", func(o *api.ContainerOptions) { o.Process.PID, o.Process.IPC = "host", "host" })
	named("idle", func(o *api.ContainerOptions) { o.NoStart = true })
	// The memory executor has no processes, so its containers have the pid of this one.
	setRecord(t, m, plain.ID, func(c *store.Container) { c.PID = os.Getpid() })
	for _, tt := range []struct {
		pid, ipc string
		code     executor.Code
		want     string
	}{
		{"container:nobody", "", executor.NotFound, `pid container:nobody: there is no container "nobody"; davit ps -a lists them`},
		{"", "container:self", executor.Invalid, "ipc container:self: a container has its own shared memory without that"},
		{"container:self", "", executor.Invalid, "pid container:self: a container has its own processes without that"},
		{"container:idle", "", executor.FailedPrecondition, "container idle does not run; start it first"},
		{"container:machine", "", executor.FailedPrecondition, "container machine, on backend a, has the processes of this machine; use --pid host"},
		{"", "container:machine", executor.FailedPrecondition, "container machine, on backend a, has the shared memory of this machine; use --ipc host"},
		{"", "container:plain", executor.FailedPrecondition, "container plain keeps its shared memory to itself; make it with --ipc shareable"},
		{"container:" + plain.ID[:9], "", executor.FailedPrecondition, "container plain, on backend a, has the processes of this machine"},
		{"container:", "", executor.Invalid, "the container is missing"},
	} {
		opts := program(t, "exit 0")
		opts.Name = "self"
		opts.Process.PID, opts.Process.IPC = tt.pid, tt.ipc
		if _, err := m.Create(t.Context(), opts); executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("pid %q, ipc %q: got %v, want %s: %s", tt.pid, tt.ipc, err, tt.code, tt.want)
		}
	}
}

// TestMissedNamespace looks whether processes are in a namespace.
func TestMissedNamespace(t *testing.T) {
	own, err := os.Open("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	open := entered{{sharings()[0], own, "other"}}
	defer open.close()
	if open.missed(os.Getpid()) != nil {
		t.Error("this process is not in its own namespace")
	}
	child := exec.Command("sleep", "600")
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if err := child.Start(); err != nil {
		t.Skip("no namespaces here: ", err)
	}
	if ns := open.missed(child.Process.Pid); ns == nil || ns.of != "other" {
		t.Errorf("a process in a namespace of its own: got %+v", ns)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if open.missed(child.Process.Pid) != nil {
		t.Error("a process that has ended is missed")
	}
}

// TestJoinAtTheStart starts a container whose other one has ended, has another pid than is
// recorded, and was removed.
func TestJoinAtTheStart(t *testing.T) {
	m := openManager(t, nil)
	other := mustCreate(t, m, program(t, "sleep 600"))
	opts := program(t, "exit 0")
	opts.NoStart, opts.Process.PID = true, "container:"+other.ID
	c := mustCreate(t, m, opts)
	if c.PIDMode != "container:"+other.ID {
		t.Errorf("its processes are those of %q", c.PIDMode)
	}
	start := func(when, want string) {
		t.Helper()
		_, err := m.Start(t.Context(), c.ID)
		if executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", when, err, want)
		}
	}
	stranger := exec.Command("sleep", "600")
	stranger.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if err := stranger.Start(); err != nil {
		t.Skip("no namespaces here: ", err)
	}
	defer func() { _, _ = stranger.Process.Kill(), stranger.Wait() }()
	setRecord(t, m, other.ID, func(c *store.Container) { c.PID = stranger.Process.Pid })
	start("a pid of somebody else", "does not run; start it first")
	if err := m.Stop(t.Context(), other.ID, atOnce()); err != nil {
		t.Fatal(err)
	}
	start("stopped", "processes of another container: container "+other.ID+" does not run; start it first")
	if err := m.Remove(t.Context(), other.ID, false); err != nil {
		t.Fatal(err)
	}
	start("removed", "container "+other.ID+" was removed; make this one again, too")
}
