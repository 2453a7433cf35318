package capture

import (
	"os"
	"time"

	"github.com/davit-run/davit/shared/notes"
)

// index is the file in which a log notes when output came. A nil one notes nothing.
type index struct {
	f       *os.File
	pending []notes.Note
	buf     []byte
	flushed time.Time
	// credit is how many notes may be written now.
	credit   float64
	credited time.Time
}

const (
	// burst is how many notes a stream may have at once, and rate how many each second
	// after that.
	burst = 1000
	rate  = 50
	// fine is the precision of notes in a burst, hot after it.
	fine = time.Millisecond
	hot  = time.Second / rate
	// batch is how many notes are written at once at most.
	batch = 64
)

// openIndex opens an index that exists. Without one the output is the same, and its times
// are sampled.
func openIndex(path string) *index {
	if path == "" {
		return nil
	}
	f, err := notes.Open(path, 0)
	if err != nil {
		return nil
	}
	return &index{f: f, credit: burst}
}

// add adds a note. One that follows closely on the last is joined with it, and without
// credit every one is.
func (x *index) add(n notes.Note, follows bool) {
	if x == nil {
		return
	}
	if n.At = n.At.Round(0); n.At.Before(x.credited) { // the clock was set back
		n.At = x.credited
	}
	x.credit = min(burst, x.credit+rate*n.At.Sub(x.credited).Seconds())
	x.credited = n.At
	if last := len(x.pending) - 1; last >= 0 {
		p := &x.pending[last]
		begin := p.Begin()
		if x.credit < 1 || follows && n.At.Sub(begin) <= fine {
			p.Offset, p.At, p.Span = n.Offset, n.At, n.At.Sub(begin)
			x.settle(n.At)
			return
		}
	}
	x.credit--
	x.pending = append(x.pending, n)
	if len(x.pending) >= batch || n.At.Sub(x.flushed) >= fine {
		x.settle(n.At)
	}
}

// settle writes the pending notes, unless the stream is hot and it is too early. It
// returns when they will be due then.
func (x *index) settle(now time.Time) (due time.Time) {
	if x == nil || len(x.pending) == 0 {
		return time.Time{}
	}
	if due := x.flushed.Add(hot); x.credit < 1 && now.Before(due) {
		return due
	}
	x.flush(now)
	return time.Time{}
}

// flush writes the pending notes. Where the disk is full, the next note has their time
// too.
func (x *index) flush(now time.Time) {
	if x == nil || len(x.pending) == 0 {
		return
	}
	x.buf = x.buf[:0]
	for _, n := range x.pending {
		x.buf = n.Append(x.buf)
	}
	x.flushed = now
	if err := notes.Write(x.f, x.buf); err != nil {
		last := x.pending[len(x.pending)-1]
		last.Span = last.At.Sub(x.pending[0].Begin())
		x.pending = append(x.pending[:0], last)
		return
	}
	x.pending = x.pending[:0]
}

// trim drops notes about dropped output.
func (x *index) trim(low int64) {
	if x != nil {
		_ = notes.Trim(x.f, low) // the next cut tries again
	}
}

func (x *index) close() {
	if x != nil {
		x.flush(time.Now())
		_ = x.f.Close()
	}
}
