package output

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
)

// Sizes returns how much of the disk each container's directory takes, by id, also of
// containers that nobody knows.
func (d *Dir) Sizes() (map[string]int64, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "output: %w", err)
	}
	sizes := make(map[string]int64)
	for _, e := range entries {
		if e.IsDir() && executor.ValidateID(e.Name()) == nil {
			sizes[e.Name()] = d.size(e.Name())
		}
	}
	return sizes, nil
}

// size returns how much of the disk a directory takes, as far as that can be seen.
func (d *Dir) size(dir string) (n int64) {
	_ = fs.WalkDir(d.root.FS(), dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it may have just been removed
		}
		if info, err := e.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				n += st.Blocks * 512
			}
		}
		return nil
	})
	return n
}

// KeepAttempts removes the output of the attempts before one, but for the latest count of
// them and for those that together take no more than most bytes; 0 is no limit.
func (d *Dir) KeepAttempts(before executor.Ref, count int, most int64) error {
	entries, err := fs.ReadDir(d.root.FS(), before.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return executor.Errorf(executor.Unavailable, "output of %s: %w", before, err)
	}
	var attempts []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && e.IsDir() && n > 0 && n < before.Attempt {
			attempts = append(attempts, n)
		}
	}
	slices.SortFunc(attempts, func(a, b int) int { return b - a })
	total := int64(0)
	for i, n := range attempts {
		total += d.size(before.ID + "/" + strconv.Itoa(n))
		if i >= count || most > 0 && total > most {
			err = errors.Join(err, d.RemoveProcess(executor.Ref{ID: before.ID, Attempt: n}))
		}
	}
	return err
}
