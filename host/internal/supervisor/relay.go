package supervisor

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
)

const (
	// relayPause is how long a relay lets output gather before it looks again, and
	// relayPoll how often it looks where the kernel tells it nothing.
	relayPause = 10 * time.Millisecond
	relayPoll  = 200 * time.Millisecond
	// relayBacklog is how much of an executor's log is read at once, at most. What is
	// older is dropped. It also bounds what is left to do when the relay ends.
	relayBacklog = 1 << 20
	// relayKept is how much of an executor's log is kept on disk at least. The blocks of
	// what is older are freed. A file that has become longer than relayLongest, which
	// takes no blocks but a moment of ftruncate, is cut.
	relayKept    = 1 << 20
	relayLongest = 1 << 40
	// relayLine is the longest line that is relayed as one.
	relayLine = 64 << 10
	// stdoutKept is how long the file of stdout may become. It has the handshake.
	stdoutKept = 64 << 10
)

// relay writes what an executor logs to the host's log, and bounds the executor's files:
// an executor that floods them fills no disk, and is read no faster than its budget
// allows.
type relay struct {
	logger      hclog.Logger
	log, stdout *os.File

	at, punched int64  // read, and freed, up to here
	partial     []byte // of a line
	torn        bool   // the rest of a line is dropped
	budget      budget

	quit chan struct{}
	wg   sync.WaitGroup
}

// startRelay begins to relay the log in a run directory, from its present end on if
// fromEnd is set.
func startRelay(dir string, fromEnd bool, logger hclog.Logger) (*relay, error) {
	r := &relay{logger: logger, quit: make(chan struct{}), budget: newBudget()}
	var err error
	if r.log, err = linux.Open(filepath.Join(dir, logFile), os.O_RDWR); err != nil {
		return nil, err
	}
	if r.stdout, err = linux.Open(filepath.Join(dir, stdoutFile), os.O_RDWR); err != nil {
		_ = r.log.Close()
		return nil, err
	}
	if info, err := r.log.Stat(); err == nil && fromEnd {
		r.at = info.Size()
	}
	r.wg.Go(r.run)
	return r, nil
}

// close relays what was written until now, and stops.
func (r *relay) close() {
	if r == nil {
		return
	}
	close(r.quit)
	r.wg.Wait()
}

func (r *relay) run() {
	defer r.log.Close()
	defer r.stdout.Close()
	grown, stop := watchGrowth(r.log, r.stdout)
	defer stop()
	for more := true; more; {
		select {
		case <-r.quit:
			more = false
		case <-grown:
		}
		if err := r.round(); err != nil {
			r.logger.Warn("cannot read the executor's log", "error", err)
			return
		}
		if more {
			select {
			case <-r.quit:
			case <-time.After(relayPause):
			}
		}
	}
	if len(r.partial) > 0 {
		r.line(r.partial)
	}
	r.budget.report(r.logger)
}

// round relays what was written since the last one, and bounds the files.
func (r *relay) round() error {
	if info, err := r.stdout.Stat(); err == nil && info.Size() > stdoutKept {
		_ = r.stdout.Truncate(maxHandshake)
	}
	info, err := r.log.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size < r.at { // somebody has cut it
		r.at, r.punched, r.partial, r.torn = 0, 0, nil, false
	}
	if late := size - r.at - relayBacklog; late > 0 {
		r.budget.drop(late)
		r.at, r.partial, r.torn = r.at+late, nil, true
	}
	err = r.read(size)
	r.free()
	r.budget.reportNow(r.logger, time.Now())
	return err
}

// read relays the lines up to an offset.
func (r *relay) read(to int64) error {
	buf := make([]byte, min(relayLine, to-r.at))
	for r.at < to {
		n, err := r.log.ReadAt(buf[:min(int64(len(buf)), to-r.at)], r.at)
		if n == 0 {
			if errors.Is(err, io.EOF) { // it was cut meanwhile
				return nil
			}
			return err
		}
		r.at += int64(n)
		for rest := buf[:n]; len(rest) > 0; {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			rest = after
			if !r.torn {
				r.partial = append(r.partial, line...)
			}
			if whole || len(r.partial) >= relayLine {
				r.line(r.partial)
				r.partial, r.torn = r.partial[:0], false
			}
		}
	}
	return nil
}

// line relays one line, if the budget allows.
func (r *relay) line(text []byte) {
	if len(text) > 0 && r.budget.spend(len(text), time.Now()) {
		relayEntry(text, r.logger)
	}
}

// free frees the blocks of what was read long ago.
func (r *relay) free() {
	if r.at-r.punched <= 2*relayKept {
		return
	}
	low, err := linux.Punch(r.log, r.at-relayKept)
	if err == nil {
		r.punched = low
	}
	if info, serr := r.log.Stat(); serr == nil && info.Size() == r.at && (err != nil || r.at > relayLongest) {
		if r.log.Truncate(0) == nil {
			r.at, r.punched = 0, 0
		}
	}
}
