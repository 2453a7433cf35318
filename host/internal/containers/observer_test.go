package containers

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// noted is an Observer that notes steps and starts.
type noted struct {
	unobserved
	mu  sync.Mutex
	all []string
}

func (n *noted) note(what ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, strings.Join(what, " "))
}

func (n *noted) Stepped(backend, step string, _ time.Duration) { n.note(backend, step) }
func (n *noted) Started(backend string, _ time.Duration, err error) {
	n.note(backend, "started", string(executor.CodeOf(err)))
}

// TestStartIsObserved starts a container, and one that cannot be started.
func TestStartIsObserved(t *testing.T) {
	m := openManager(t, nil)
	var n noted
	m.opts.Observer = &n
	c := mustCreate(t, m, program(t, "exit 0"))
	mustWait(t, m, c.ID)
	steps := []string{"a files", "a rootfs", "a network", "a ports", "a create", "a record", "a started "}
	if !slices.Equal(n.all, steps) {
		t.Errorf("got %q", n.all)
	}
	n.all = nil
	if _, err := m.Create(t.Context(), api.ContainerOptions{Rootfs: t.TempDir(), Process: program(t, "nonsense").Process}); err == nil {
		t.Fatal("it was started")
	}
	if got := n.all[len(n.all)-1]; len(n.all) != 6 || got != "a started command_not_found" && got != "a started invalid" {
		t.Errorf("got %q", n.all)
	}
}
