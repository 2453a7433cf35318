package fifo

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/executor"
)

// KeepInput has the input of a process open for writing until CloseInput or Drop. It is
// called before the process is started, if others are to keep its input open: they may
// take a while to begin, and until then the end of a writer would be that of the input.
// An input that is no FIFO needs nothing.
func (h *Holder) KeepInput(ref executor.Ref, stdin executor.Stream) error {
	if stdin.Kind != executor.StreamFIFO {
		return nil
	}
	// For writing alone it can be opened only if there is a reader.
	both, err := os.OpenFile(stdin.Path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	w, err := os.OpenFile(stdin.Path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err = errors.Join(err, both.Close()); err != nil {
		return errors.Join(err, w.Close()) // nil has an answer to that
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inputs == nil {
		h.inputs = map[executor.Ref]*os.File{}
	}
	if before := h.inputs[ref]; before != nil {
		_ = before.Close()
	}
	h.inputs[ref] = w
	return nil
}

// CloseInput closes the input of a process, if it is kept. It may be repeated.
func (h *Holder) CloseInput(ref executor.Ref) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closeInput(ref)
}

func (h *Holder) closeInput(ref executor.Ref) {
	if w := h.inputs[ref]; w != nil {
		_ = w.Close()
		delete(h.inputs, ref)
	}
}
