package containers

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

const mib = 1 << 20

// limitOf returns the memory limit of what runs.
func limitOf(t *testing.T, m *Manager, id string) (bytes uint64) {
	t.Helper()
	stats, err := Act(t.Context(), m, id, transport.MethodStats, Action[executor.Ref]{Request: Itself})
	if err != nil {
		t.Fatal(err)
	}
	if stats.MemoryLimit != nil {
		bytes = *stats.MemoryLimit
	}
	return bytes
}

// specText returns the spec that a container is started with.
func specText(t *testing.T, m *Manager, id string) (spec json.RawMessage) {
	t.Helper()
	err := m.store.View(func(tx *store.Tx) (err error) {
		spec, err = tx.Spec(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func limits(bytes int64) api.UpdateOptions {
	return api.UpdateOptions{Limits: ocispec.Limits{MemoryBytes: bytes}}
}

// TestUpdate changes what runs and what is recorded of it, and what does not run.
func TestUpdate(t *testing.T) {
	m := openManager(t, nil)
	c := mustCreate(t, m, program(t, "sleep 600"))
	policy := "on-failure:3"
	opts := limits(64 * mib)
	opts.Restart = &policy
	if err := m.Update(t.Context(), c.ID, opts); err != nil {
		t.Fatal(err)
	}
	if got := limitOf(t, m, c.ID); got != 64*mib {
		t.Errorf("the limit is %d", got)
	}
	record, err := m.record(c.ID)
	if want := (store.RestartPolicy{Name: "on-failure", MaxRetries: 3}); err != nil || record.Restart != want || record.Updating || record.Attempt != 1 {
		t.Errorf("got %+v, %v", record, err)
	}
	if text := specText(t, m, c.ID); !strings.Contains(string(text), `"memory":{"limit":67108864}`) {
		t.Errorf("the spec is %s", text)
	}
	_, copied, err := m.readCopy(c.ID)
	if err != nil || !strings.Contains(string(copied), `"memory":{"limit":67108864}`) {
		t.Errorf("the copy of the spec is %s, %v", copied, err)
	}

	ended := mustCreate(t, m, program(t, "exit 3"))
	mustWait(t, m, ended.ID)
	if err := m.Update(t.Context(), ended.ID, limits(32*mib)); err != nil {
		t.Error(err)
	}
	if text := specText(t, m, ended.ID); !strings.Contains(string(text), `"memory":{"limit":33554432}`) {
		t.Errorf("the spec of what has ended is %s", text)
	}
	removed := program(t, "sleep 600")
	removed.AutoRemove = true
	auto, always, unknown := mustCreate(t, m, removed), "always", "sometimes"
	for name, test := range map[string]struct {
		id   string
		opts api.UpdateOptions
		want executor.Code
	}{
		"nothing":                        {c.ID, api.UpdateOptions{}, executor.Invalid},
		"too little":                     {c.ID, limits(1), executor.Invalid},
		"an unknown policy":              {c.ID, api.UpdateOptions{Restart: &unknown}, executor.Invalid},
		"a policy of what is removed":    {auto.ID, api.UpdateOptions{Restart: &always}, executor.Invalid},
		"an unknown container":           {"nobody", limits(64 * mib), executor.NotFound},
		"memory above its sum with swap": {c.ID, api.UpdateOptions{Limits: ocispec.Limits{MemorySwap: 32 * mib}}, executor.Invalid},
	} {
		if err := m.Update(t.Context(), test.id, test.opts); executor.CodeOf(err) != test.want {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

// TestUpdateIsRecorded has a host that dies when it has recorded an update.
func TestUpdateIsRecorded(t *testing.T) {
	m := openManager(t, nil)
	c := mustCreate(t, m, program(t, "sleep 600"))
	if _, err := m.recordUpdate(t.Context(), c.ID, limits(64*mib)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(m.info().PID, syscall.SIGKILL); err != nil { // the next session reconciles
		t.Fatal(err)
	}
	wait.Until(t, "the update is done", func() bool {
		record, err := m.record(c.ID)
		return err == nil && !record.Updating
	})
	if got := limitOf(t, m, c.ID); got != 64*mib {
		t.Errorf("the limit is %d", got)
	}
}

// TestUpdateIsUndone takes back what a backend has refused.
func TestUpdateIsUndone(t *testing.T) {
	m := openManager(t, nil)
	c := mustCreate(t, m, program(t, "sleep 600"))
	old := specText(t, m, c.ID)
	policy := "always"
	opts := limits(64 * mib)
	opts.Restart = &policy
	before, err := m.recordUpdate(t.Context(), c.ID, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.undoUpdate(before); err != nil {
		t.Fatal(err)
	}
	record, err := m.record(c.ID)
	if err != nil || record.Updating || record.Restart != (store.RestartPolicy{}) || string(specText(t, m, c.ID)) != string(old) {
		t.Errorf("afterwards: %+v, %v", record, err)
	}
}

// TestUpdateOfWhatEnds loses nothing when the container ends meanwhile.
func TestUpdateOfWhatEnds(t *testing.T) {
	m := openManager(t, nil)
	c := mustCreate(t, m, program(t, "sleep 600"))
	if _, err := m.recordUpdate(t.Context(), c.ID, limits(64*mib)); err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(t.Context(), c.ID, atOnce()); err != nil {
		t.Fatal(err)
	}
	if err := m.setLimits(t.Context(), c.ID); err != nil {
		t.Error(err)
	}
	_, err := backends.Call(context.Background(), m.backends, c.Backend, transport.MethodUpdate, transport.UpdateRequest{Ref: executor.Ref{ID: c.ID, Attempt: 1}, Resources: json.RawMessage(`{}`)})
	if !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("an update of what has ended: got %v", err)
	}
	if now, err := m.Start(t.Context(), c.ID); err != nil || now.Attempt != 2 {
		t.Errorf("the next attempt: %+v, %v", now, err)
	}
	if record, err := m.record(c.ID); err != nil || record.Updating {
		t.Errorf("afterwards: %+v, %v", record, err)
	}
}
