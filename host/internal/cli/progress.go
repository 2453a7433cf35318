package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/docker/go-units"
)

// progress shows on a terminal how much was copied, if it takes more than a second.
type progress struct {
	mu    sync.Mutex
	line  statusLine
	bytes int64
}

// progress returns a progress of what begins now.
func (a *App) progress(quiet bool) *progress { return &progress{line: a.statusLine(quiet)} }

// progressEvery is how often more is shown.
const progressEvery = 200 * time.Millisecond

func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += int64(n)
	if !p.line.due(progressEvery) {
		return
	}
	rate := float64(p.bytes) / time.Since(p.line.began).Seconds()
	p.line.show(fmt.Sprintf("%s, %s/s", units.HumanSize(float64(p.bytes)), units.HumanSize(rate)))
}

// done removes what was shown.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.done()
}

func (p *progress) reader(r io.Reader) io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		n, err := r.Read(b)
		p.add(n)
		return n, err
	})
}

func (p *progress) writer(w io.Writer) io.Writer {
	return writerFunc(func(b []byte) (int, error) {
		n, err := w.Write(b)
		p.add(n)
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
