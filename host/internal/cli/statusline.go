package cli

import (
	"fmt"
	"io"
	"time"
)

// statusLine is a line on a terminal about something that takes a while, in the place of the
// one before it.
type statusLine struct {
	to    io.Writer // nil shows nothing
	began time.Time
	shown time.Time // zero if nothing is
}

// statusLine returns a statusLine of what begins now.
func (a *App) statusLine(quiet bool) statusLine {
	l := statusLine{began: time.Now()}
	if !quiet && isTerminal(a.Stderr) {
		l.to = a.Stderr
	}
	return l
}

// silence is how long something may take before anything is shown.
const silence = time.Second

// due reports whether there is something to show, and the last was shown that long ago.
func (l *statusLine) due(every time.Duration) bool {
	return l.to != nil && time.Since(l.began) >= silence && time.Since(l.shown) >= every
}

func (l *statusLine) show(text string) {
	l.shown = time.Now()
	fmt.Fprint(l.to, "\r\x1b[K"+text)
}

// done removes what was shown.
func (l *statusLine) done() {
	if !l.shown.IsZero() {
		fmt.Fprint(l.to, "\r\x1b[K")
	}
}
