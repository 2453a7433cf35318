package executor

import (
	"errors"
	"fmt"
	"syscall"
)

// LossAttribute is the extended attribute of an output file in which an executor
// notes a [Loss]. An attribute needs no room on a full disk, outlives every process,
// and stays with its file.
const LossAttribute = "user.davit.loss"

// Loss says what is missing within an output file, because it could not be written
// when it arrived and the workload had to go on. The zero value is no loss.
type Loss struct {
	// Gaps counts the places where output is missing. At each of them up to 32 KiB
	// may be missing that Bytes does not count: what a shim had read and could not
	// write.
	Gaps int `json:"gaps"`
	// Bytes counts what was discarded.
	Bytes int64 `json:"bytes"`
}

// ReadLoss reads the loss of a file. A file without a note, or on a file system
// that has no attributes, has none.
func ReadLoss(path string) (Loss, error) {
	buf := make([]byte, 64)
	n, err := syscall.Getxattr(path, LossAttribute, buf)
	if errors.Is(err, syscall.ENODATA) || errors.Is(err, syscall.ENOTSUP) {
		return Loss{}, nil
	}
	if err != nil {
		return Loss{}, fmt.Errorf("%s: reading %s: %w", path, LossAttribute, err)
	}
	var l Loss
	if _, err := fmt.Sscanf(string(buf[:n]), "%d %d", &l.Gaps, &l.Bytes); err != nil {
		return Loss{}, fmt.Errorf("%s: %s is %q: %w", path, LossAttribute, buf[:n], err)
	}
	return l, nil
}

// Note writes the loss to the attribute of a file.
func (l Loss) Note(path string) error {
	err := syscall.Setxattr(path, LossAttribute, fmt.Appendf(nil, "%d %d", l.Gaps, l.Bytes), 0)
	if err != nil {
		return fmt.Errorf("%s: writing %s: %w", path, LossAttribute, err)
	}
	return nil
}
