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
	"github.com/davit-run/davit/shared/executor"
)

func ids(list []api.ContainerUsage) (ids []string) {
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

// TestPrune removes what has ended and what lost records have left, and nothing else.
func TestPrune(t *testing.T) {
	m := openManager(t, nil)
	runs := mustCreate(t, m, program(t, "sleep 60"))
	ended := mustCreate(t, m, program(t, "exit 0"))
	mustWait(t, m, ended.ID)
	lost := filepath.Join(m.opts.StateDir, "containers", "0123456789abcdef", "1")
	if err := os.MkdirAll(lost, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(lost, "stdout"), []byte(strings.Repeat("x", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	usage, err := m.DiskUsage()
	if err != nil || len(usage.Containers) != 3 || !usage.Containers[0].Lost || usage.Containers[0].Bytes < 100_000 {
		t.Fatalf("disk usage: %+v, %v", usage, err)
	}
	both := []string{"0123456789abcdef", ended.ID}
	slices.Sort(both)
	for _, tt := range []struct {
		name string
		opts api.PruneOptions
		want []string
	}{
		{"older", api.PruneOptions{Older: time.Hour}, nil},
		{"dry run", api.PruneOptions{DryRun: true}, both},
		{"all", api.PruneOptions{}, both},
		{"again", api.PruneOptions{}, nil},
	} {
		done, err := m.Prune(t.Context(), tt.opts)
		if err != nil || !slices.Equal(ids(done.Containers), tt.want) {
			t.Errorf("%s: got %+v, %v, want %v", tt.name, done, err, tt.want)
		}
	}
	if now, err := m.Inspect(runs.ID); err != nil || now.State != api.StateRunning {
		t.Errorf("what runs: got %+v, %v", now, err)
	}
	if _, err := os.Stat(filepath.Dir(lost)); !os.IsNotExist(err) {
		t.Errorf("what a lost record has left: %v", err)
	}
}

// TestExpire: what has ended is removed after its time, and not before.
func TestExpire(t *testing.T) {
	m := openManager(t, nil)
	runs := mustCreate(t, m, program(t, "sleep 60"))
	ended := mustCreate(t, m, program(t, "exit 0"))
	read := mustCreate(t, m, program(t, "exit 0"))
	for _, c := range []api.Container{ended, read} {
		mustWait(t, m, c.ID)
	}
	unpin := m.pin(read.ID)
	defer unpin()
	left := func(after time.Duration) (left []string) {
		if err := m.expire(t.Context(), time.Now().Add(after-time.Hour)); err != nil {
			t.Fatal(err)
		}
		all, err := m.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			left = append(left, c.ID)
		}
		return left
	}
	if got := left(50 * time.Minute); !slices.Equal(got, []string{runs.ID, ended.ID, read.ID}) {
		t.Errorf("before its time: %v are left", got)
	}
	if got := left(70 * time.Minute); !slices.Equal(got, []string{runs.ID, read.ID}) {
		t.Errorf("after it: %v are left", got)
	}
}

// TestAttemptsAreBounded: a crash loop does not fill the disk with the output of its
// attempts.
func TestAttemptsAreBounded(t *testing.T) {
	m := openManager(t, nil)
	m.SetLimits(Limits{AttemptsBytes: 1 << 20})
	c := mustCreate(t, m, program(t, "exit 1"))
	for attempt := 1; attempt <= 3; attempt++ {
		mustWait(t, m, c.ID)
		path := m.files(&store.Container{ID: c.ID}, executor.Ref{ID: c.ID, Attempt: attempt}).Stdout
		if err := os.WriteFile(path, make([]byte, 400<<10), 0o600); err != nil {
			t.Error(err)
		}
		if _, err := m.Start(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	mustWait(t, m, c.ID)
	if _, begun, err := logs(t, m, c.ID, api.LogOptions{}); err != nil || !slices.Equal(begun, []int{2, 3, 4}) {
		t.Errorf("output of attempts %v is kept, %v", begun, err)
	}
}
