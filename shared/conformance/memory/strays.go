package memory

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Strays implements [executor.StrayKeeper]. Strays are what runs with a note in RunDir and
// without a record in StateDir.
func (b *backend) Strays(context.Context) ([]executor.Stray, error) {
	notes, err := filepath.Glob(filepath.Join(b.driver.env.RunDir, "*.json"))
	var all []executor.Stray
	for _, file := range notes {
		var rec record
		if readJSON(file, &rec) != nil || rec.Ref.Exec != "" { // it ends with its attempt
			continue
		}
		p := b.driver.at(rec.Ref)
		if _, err := os.Stat(p.recordFile()); !errors.Is(err, fs.ErrNotExist) || !p.listens() {
			continue
		}
		all = append(all, executor.Stray{
			Key: filepath.Base(file), What: "workload that listens at " + p.Socket,
			Status: executor.Status{Ref: rec.Ref, State: executor.Running, PID: rec.PID, StartedAt: rec.StartedAt, Runtime: rec.Runtime},
		})
	}
	return all, err
}

// stray returns the place of a stray and its record.
func (b *backend) stray(ref executor.Ref, key string) (place, record, error) {
	var rec record
	p := b.driver.at(ref)
	if key != filepath.Base(p.noteFile()) || readJSON(p.noteFile(), &rec) != nil || rec.Ref != ref {
		return p, rec, executor.Errorf(executor.NotFound, "there is no stray %s of %s", key, ref)
	}
	return p, rec, nil
}

// AdoptStray implements [executor.StrayKeeper].
func (b *backend) AdoptStray(_ context.Context, ref executor.Ref, key string) (executor.Status, error) {
	p, rec, err := b.stray(ref, key)
	if err != nil {
		return executor.Status{}, err
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return executor.Status{}, err
	}
	w := process{place: p, rec: rec}
	return w.status(), writeJSON(p.recordFile(), rec)
}

// RemoveStray implements [executor.StrayKeeper].
func (b *backend) RemoveStray(ctx context.Context, ref executor.Ref, key string) error {
	p, _, err := b.stray(ref, key)
	if errors.Is(err, executor.NotFound) {
		return nil
	}
	w := process{place: p}
	_ = w.Signal(ctx, syscall.SIGKILL)
	for p.listens() {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return p.remove()
}
