package containers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// checked is a container that is healthy while a file exists.
func checked(t *testing.T) (opts api.ContainerOptions, file string) {
	file = filepath.Join(t.TempDir(), "up")
	opts = program(t, "sleep 1000")
	opts.HealthCheck = &api.HealthCheck{
		Command: strings.Fields("print stdout looking ; await " + file + " ; exit 0"), Interval: 10 * time.Millisecond, Timeout: time.Second, Retries: 2,
	}
	return opts, file
}

func mustInspect(t *testing.T, m *Manager, id string) api.Container {
	t.Helper()
	c, err := m.Inspect(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func waitHealth(t *testing.T, m *Manager, id string, want api.HealthStatus) *api.Health {
	t.Helper()
	var h *api.Health
	wait.Until(t, "it is "+string(want), func() bool {
		h = mustInspect(t, m, id).Health
		return h != nil && h.Status == want && len(h.Log) > 0
	})
	return h
}

func TestHealth(t *testing.T) {
	m := openManager(t, nil)
	opts, file := checked(t)
	c := mustCreate(t, m, opts)
	if c.Health == nil || c.Health.Status != api.HealthStarting || c.HealthCheck == nil || c.HealthCheck.StartInterval != api.DefaultHealthStartInterval {
		t.Errorf("at the start: got %+v, check %+v", c.Health, c.HealthCheck)
	}
	h := waitHealth(t, m, c.ID, api.HealthUnhealthy)
	if last := h.Log[len(h.Log)-1]; h.FailingStreak < 2 || last.ExitCode != -1 || !strings.Contains(last.Output, "more than 1s") {
		t.Errorf("unhealthy: got %+v", h)
	}
	healthy := waitFor(t, m, c.ID, api.WaitHealthy, 0)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if o := <-healthy; o.err != nil || o.end != nil {
		t.Errorf("wait: got %+v", o)
	}
	h = waitHealth(t, m, c.ID, api.HealthHealthy)
	if last := h.Log[len(h.Log)-1]; last.ExitCode != 0 || last.Output != "looking\n" || last.End.Before(last.Start) {
		t.Errorf("healthy: got %+v", h)
	}
	var recorded *store.Container
	if recorded = mustRecord(t, m, c.ID); recorded.Health.Result.Output != "looking\n" {
		t.Errorf("recorded is %+v", recorded.Health)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	waitHealth(t, m, c.ID, api.HealthUnhealthy)
	wantStatuses(t, m, c.ID, "unhealthy", "healthy", "unhealthy")
	if list, err := m.List(); err != nil || list[0].Health == nil || list[0].Health.Log != nil {
		t.Errorf("a list has %+v, %v", list[0].Health, err)
	}
	// It is not restarted for that. A user's restart starts anew.
	if got := mustInspect(t, m, c.ID); got.Attempt != 1 || got.State != api.StateRunning {
		t.Errorf("unhealthy, it is %+v", got)
	}
	again, err := m.Restart(t.Context(), c.ID, atOnce())
	if err != nil || again.Attempt != 2 || again.Health.Status != api.HealthStarting {
		t.Errorf("restarted, it is %+v, %v", again.Health, err)
	}
	waitHealth(t, m, c.ID, api.HealthUnhealthy)
	if err := m.Stop(t.Context(), c.ID, atOnce()); err != nil {
		t.Fatal(err)
	}
	if h := mustInspect(t, m, c.ID).Health; h != nil {
		t.Errorf("after its end: got %+v", h)
	}
	if o := <-waitFor(t, m, c.ID, api.WaitHealthy, 0); executor.CodeOf(o.err) != executor.FailedPrecondition {
		t.Errorf("a wait after its end: got %+v", o)
	}
}

func mustRecord(t *testing.T, m *Manager, id string) *store.Container {
	t.Helper()
	c, err := m.record(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantStatuses fails the test unless these are the changes of the health of a container.
func wantStatuses(t *testing.T, m *Manager, id string, want ...string) {
	t.Helper()
	var got []string
	err := m.store.View(func(tx *store.Tx) error {
		oldest, _, err := tx.Cursors()
		if err != nil {
			return err
		}
		events, err := tx.Events(oldest, 1000)
		for _, e := range events {
			if e.Container == id && e.Type == api.EventHealthStatus {
				got = append(got, e.Data["status"])
			}
		}
		return err
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("events: got %q, %v, want %q", got, err, want)
	}
}

// Probes that change nothing leave nothing: no records, events or files.
func TestManyProbes(t *testing.T) {
	m := openManager(t, nil)
	opts, file := checked(t)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	opts.HealthCheck.Interval, opts.HealthCheck.Timeout = time.Millisecond, time.Minute
	c := mustCreate(t, m, opts)
	waitHealth(t, m, c.ID, api.HealthHealthy)
	_, before, err := m.EventCursors()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[time.Time]bool{}
	wait.Until(t, "there were many", func() bool {
		for _, r := range mustInspect(t, m, c.ID).Health.Log {
			seen[r.Start] = true
		}
		return len(seen) >= 20
	})
	if _, after, err := m.EventCursors(); err != nil || after != before {
		t.Errorf("%d probes have made %d events, %v", len(seen), after-before, err)
	}
	if execs, err := m.Execs(c.ID); err != nil || len(execs) > 0 {
		t.Errorf("execs of a user: got %+v, %v", execs, err)
	}
	dirs, err := os.ReadDir(filepath.Join(m.outputs.ContainerDir(c.ID), "1", "exec"))
	if err != nil || len(dirs) > 1 {
		t.Errorf("files: got %v, %v", dirs, err)
	}
}

// A command that cannot be run makes a container unhealthy.
func TestHealthCommandNotFound(t *testing.T) {
	m := openManager(t, nil)
	opts, _ := checked(t)
	opts.HealthCheck.Command = []string{"nonsense"}
	c := mustCreate(t, m, opts)
	if h := waitHealth(t, m, c.ID, api.HealthUnhealthy); h.Log[0].ExitCode != -1 || !strings.Contains(h.Log[0].Output, "nonsense") {
		t.Errorf("got %+v", h)
	}
}

func TestHealthErrors(t *testing.T) {
	m := openManager(t, nil)
	for name, check := range map[string]api.HealthCheck{
		"nothing to do":  {Interval: time.Second},
		"two kinds":      {TCP: "80", HTTP: ":80/"},
		"none and a few": {None: true, Retries: 1},
	} {
		opts, _ := checked(t)
		opts.HealthCheck = &check
		if c, err := m.Create(t.Context(), opts); executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%s: got %+v, %v", name, c, err)
		}
	}
	c := mustCreate(t, m, program(t, "sleep 1000"))
	if c.Health != nil || c.HealthCheck != nil {
		t.Errorf("without a check: got %+v", c)
	}
	if o := <-waitFor(t, m, c.ID, api.WaitHealthy, 0); executor.CodeOf(o.err) != executor.FailedPrecondition {
		t.Errorf("wait: got %+v", o)
	}
	if e, err := m.Exec(t.Context(), c.ID, api.ExecOptions{ID: "health-1", Args: []string{"exit", "0"}}); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("an exec with the id of a probe: got %+v, %v", e, err)
	}
}

// What nobody knows any more is removed: an earlier host has begun it.
func TestReconcileProbe(t *testing.T) {
	m := openManager(t, nil)
	c := mustCreate(t, m, program(t, "sleep 1000"))
	session, err := m.backends.Session(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	p := &commandProbe{ref: executor.Ref{ID: c.ID, Attempt: 1, Exec: probePrefix + newID()}}
	run, err := m.prepareProbe(t.Context(), p, strings.Fields("sleep 1000"))
	if err != nil {
		t.Fatal(err)
	}
	defer run.close()
	if _, err := session.Create(t.Context(), run.workload); err != nil {
		t.Fatal(err)
	}
	if err := m.Reconcile(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	list, err := session.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Errorf("the backend has %+v, %v", list, err)
	}
	if dirs, err := os.ReadDir(filepath.Join(m.outputs.ContainerDir(c.ID), "1", "exec")); err != nil || len(dirs) > 0 {
		t.Errorf("files: got %v, %v", dirs, err)
	}
	// So is a file of which no backend has heard.
	if _, err := m.makeProbeFiles(t.Context(), p.ref, "a"); err != nil {
		t.Fatal(err)
	}
	next := executor.Ref{ID: c.ID, Attempt: 1, Exec: probePrefix + "next"}
	if _, err := m.makeProbeFiles(t.Context(), next, "a"); err != nil {
		t.Fatal(err)
	}
	if dirs, err := os.ReadDir(filepath.Join(m.outputs.ContainerDir(c.ID), "1", "exec")); err != nil || len(dirs) != 1 || dirs[0].Name() != next.Exec {
		t.Errorf("files: got %v, %v", dirs, err)
	}
}
