package output

import (
	"errors"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// Outputs has the output files of all containers, and the tracker that watches them. It
// is safe for concurrent use.
type Outputs struct {
	*Dir
	watcher *linux.Watcher
	tracker *Tracker
}

// Open opens the output below a state directory. See [NewTracker] for notice and grown.
func Open(stateDir string, notice func(Notice), grown func(Growth)) (*Outputs, error) {
	dir, err := OpenDir(stateDir)
	if err != nil {
		return nil, err
	}
	watcher := linux.NewWatcher()
	return &Outputs{Dir: dir, watcher: watcher, tracker: NewTracker(watcher, notice, grown)}, nil
}

// Close stops tracking. The files stay.
func (o *Outputs) Close() error {
	o.tracker.Close()
	return errors.Join(o.watcher.Close(), o.Dir.Close())
}

// Track begins to index and to cap an attempt's output.
func (o *Outputs) Track(files Files) error { return o.tracker.Add(files) }

// Untrack ends what Track began. It is no error if the attempt is not tracked.
func (o *Outputs) Untrack(ref executor.Ref) { o.tracker.Remove(ref) }
