package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// mark says how far a store has come. It is kept in a file beside the store, so that a
// store is recognised that is missing, or was put back to an older one.
//
// The file is written after the commit that it describes, and not synced, so it is never
// ahead of a store that was not put back, not even after a power failure.
type mark struct {
	Epoch, Commit uint64
	BootID        string
}

const markFormat = "%020d %020d %s\n"

func markPath(path string) string { return path + ".mark" }

// readMark returns the mark of a store, or the zero mark if there is none that can be
// read.
func readMark(path string) (m mark) {
	text, err := linux.ReadFile(markPath(path), 4096)
	if err != nil {
		return mark{}
	}
	if _, err := fmt.Sscanf(string(text), markFormat, &m.Epoch, &m.Commit, &m.BootID); err != nil {
		return mark{}
	}
	return m
}

// ahead reports whether the mark is that of a later state than h.
func (m mark) ahead(h *header) bool {
	return m.Epoch > h.Epoch || m.Epoch == h.Epoch && m.Commit > h.Commit
}

// openMark opens the file for the marks of the commits from now on.
func (s *Store) openMark() (err error) {
	s.mark, err = linux.Open(markPath(s.path), os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW)
	if err == nil {
		s.writeMark()
	}
	return err
}

// writeMark writes the mark of the last commit. If that fails, the next one is as good.
func (s *Store) writeMark() {
	if s.mark != nil {
		_, _ = s.mark.WriteAt(fmt.Appendf(nil, markFormat, s.head.Epoch, s.head.Commit, s.head.BootID), 0)
	}
}

// Behind says what a store lacks that an earlier one had: it was missing, or it is an
// older one that was put back.
type Behind struct {
	Path    string
	Missing bool
	// Epoch and Commit are those of the store that was found, ReachedEpoch and
	// ReachedCommit those that an earlier one had reached. They are 0 where nobody knows.
	Epoch, Commit               uint64
	ReachedEpoch, ReachedCommit uint64
}

// String describes in one line what was found.
func (b *Behind) String() string {
	if b.Missing {
		return fmt.Sprintf("the state file %s is missing, and there was one before; a new one was made", b.Path)
	}
	return fmt.Sprintf("the state file %s is an older one that was put back: it ends at start %d of the host, change %d, and start %d, change %d had been reached",
		b.Path, b.Epoch, b.Commit, b.ReachedEpoch, b.ReachedCommit)
}

// notice records that the file at path is missing, or is an older one that was put back.
// in is what was found.
func (s *Store) notice(in inspection, err error, known bool) (reached mark) {
	reached = readMark(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if known || reached != (mark{}) {
			s.info.Behind = &Behind{Path: s.path, Missing: true}
		}
	case err == nil && in.header != nil && in.newer == 0 && len(in.problems) == 0 && reached.ahead(in.header):
		s.info.Behind = &Behind{Path: s.path, Epoch: in.header.Epoch, Commit: in.header.Commit}
	}
	if b := s.info.Behind; b != nil {
		b.ReachedEpoch, b.ReachedCommit = reached.Epoch, reached.Commit
	}
	return reached
}

// nextEpoch returns the next epoch. Executors that run on know how far an earlier store
// had come, and serve no lesser epoch.
func (s *Store) nextEpoch(reached mark) uint64 {
	epoch := max(s.head.Epoch, reached.Epoch)
	if s.info.Behind != nil && reached == (mark{}) {
		epoch = max(epoch, uint64(time.Now().Unix())) // no store is opened every second
	}
	return epoch + 1
}

// above returns a number that is above every sequence that a store can have used before:
// at more than a million events for each second since 1970.
func above(now time.Time) uint64 { return uint64(now.Unix()) << 20 }

// restartJournal removes all events, and starts the next above every sequence that can
// have been used.
func (tx *Tx) restartJournal() error {
	var keys [][]byte
	for k := range tx.scan(events, nil) {
		keys = append(keys, append([]byte(nil), k...))
	}
	for _, k := range keys {
		if err := tx.delete(events, k); err != nil {
			return err
		}
	}
	tx.head.NextEvent = max(tx.head.NextEvent+1, above(time.Now()))
	tx.head.FirstEvent = tx.head.NextEvent
	return nil
}
