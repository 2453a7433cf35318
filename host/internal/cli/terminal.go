package cli

import (
	"os"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/term"
)

// terminal is the terminal of this process. The zero value is none.
type terminal struct {
	in    *os.File
	saved *term.State
}

// terminalOf returns the terminal that f is, if it is one.
func terminalOf(f any) (t terminal, ok bool) {
	file, ok := f.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return terminal{}, false
	}
	return terminal{in: file}, true
}

// size returns the size, or nil if there is none.
func (t *terminal) size() *executor.TerminalSize {
	if t.in == nil {
		return nil
	}
	w, h, err := term.GetSize(int(t.in.Fd()))
	if err != nil || w <= 0 || h <= 0 || w > 0xffff || h > 0xffff {
		return nil
	}
	return &executor.TerminalSize{Width: uint16(w), Height: uint16(h)}
}

// raw passes each key on as it comes.
func (t *terminal) raw() (err error) {
	if t.in != nil && t.saved == nil {
		t.saved, err = term.MakeRaw(int(t.in.Fd()))
	}
	return err
}

// restore undoes raw.
func (t *terminal) restore() {
	if t.saved != nil {
		_ = term.Restore(int(t.in.Fd()), t.saved)
		t.saved = nil
	}
}
