package minishim

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/davit-run/davit/executors/internal/capture"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// DrainTimeout is how long the deletion of a container waits for output.
const DrainTimeout = 10 * time.Second

// execDrainTimeout is how long that of an exec waits. After that the output of those whom
// it has left behind is copied on.
const execDrainTimeout = time.Second

// stdio is where the streams of a process go: paths of files that exist, or of
// FIFOs; none, or /dev/null, for no stream. One path for both makes the output one
// stream.
type stdio struct {
	stdin          string
	stdout, stderr executor.Stream
	terminal       bool          // the streams are a terminal, and there is no stderr
	owner          capture.Owner // of the pipes
}

// streams carries the streams of a process.
type streams struct {
	stdio
	child   []*os.File // stdin, stdout and stderr for the process
	ours    []*os.File // what is closed at the end
	keep    *os.File   // keeps stdin from its end; nil without stdin
	sources []capture.Source
	copier  *capture.Copier // nil before output is copied
	console *console        // nil without a terminal
}

// openStreams opens the streams of a process that is about to be created. name is its
// name in the bundle.
func openStreams(s stdio, name string) (*streams, error) {
	o := &streams{stdio: s}
	var err error
	if s.terminal {
		o.console, err = listenConsole(name)
		return o, err
	}
	if err = o.input(); err == nil {
		err = o.add(s.stdout)
	}
	switch {
	case err != nil:
	case s.stdout.Path == s.stderr.Path:
		o.child = append(o.child, o.child[1])
	default:
		err = o.add(s.stderr)
	}
	if err == nil {
		o.copier, err = capture.Start(o.sources...)
		o.sources = nil
	}
	if err != nil {
		o.handedOver()
		o.close()
		return nil, err
	}
	return o, nil
}

// args are the runtime's arguments for a process with these streams.
func (o *streams) args() []string {
	if o.console == nil {
		return nil
	}
	return []string{"--console-socket", o.console.path}
}

func none(path string) bool { return path == "" || path == os.DevNull }

// input adds a pipe for what comes from a FIFO.
func (o *streams) input() error {
	if none(o.stdin) {
		return o.null()
	}
	r, w, err := capture.InputPipe(o.owner)
	if err != nil {
		return err
	}
	o.child = append(o.child, r)
	o.ours = append(o.ours, w)
	return o.copyInput(w, w.Close)
}

// copyInput copies from the FIFO of stdin. Until [streams.closeInput] it has the FIFO
// open for writing too, so that other writers can come and go. At the end it calls
// end.
func (o *streams) copyInput(to *os.File, end func() error) error {
	fifo, err := os.OpenFile(o.stdin, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	o.ours = append(o.ours, fifo)
	if o.keep, err = os.OpenFile(o.stdin, os.O_WRONLY|unix.O_NONBLOCK, 0); err != nil {
		return err
	}
	o.ours = append(o.ours, o.keep)
	go func() {
		_, _ = io.Copy(to, fifo)
		_ = fifo.Close()
		_ = end()
	}()
	return nil
}

// closeInput ends stdin as soon as nobody else has it open for writing. It may be
// repeated.
func (o *streams) closeInput() {
	if o.keep != nil {
		_ = o.keep.Close()
	}
}

// add adds a pipe for what goes to a file.
func (o *streams) add(to executor.Stream) error {
	if none(to.Path) {
		return o.null()
	}
	log, err := capture.OpenLog(to)
	if err != nil {
		return err
	}
	r, w, err := capture.Pipe(o.owner)
	if err != nil {
		log.Close()
		return err
	}
	o.child = append(o.child, w)
	o.ours = append(o.ours, r)
	o.sources = append(o.sources, capture.Source{From: r, To: log})
	return nil
}

func (o *streams) null() error {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		o.child = append(o.child, f)
	}
	return err
}

// handedOver closes our copies of the descriptors that the process has.
func (o *streams) handedOver() {
	for _, f := range o.child {
		_ = f.Close() // one may be listed twice
	}
}

// drain waits until the output has drained, but no longer than ctx. It reports whether it
// has.
func (o *streams) drain(ctx context.Context) bool { return o.copier == nil || o.copier.Wait(ctx) }

// close ends the copying and closes the streams.
func (o *streams) close() {
	for _, s := range o.sources {
		s.To.Close()
	}
	if o.copier != nil {
		o.copier.Close()
	}
	for _, f := range o.ours {
		_ = f.Close()
	}
	if o.console != nil {
		o.console.close()
	}
}
