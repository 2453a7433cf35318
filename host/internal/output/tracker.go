package output

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/notes"
)

// Tracker tracks the output of the attempts that run. It samples when output was
// written where nobody else notes that, and drops the oldest output beyond a cap. A file that nobody writes to
// costs nothing. A Tracker is safe for concurrent use.
//
// A file that is written to is checked every quarter of a second, and more often the
// faster it grows and the less room there is under its cap. A workload that writes as
// fast as it can exceeds its cap by some tens of megabytes, and by more in the first
// quarter of a second.
type Tracker struct {
	watcher *linux.Watcher
	notice  func(Notice)
	grown   func(Growth)
	due     chan struct{}
	quit    chan struct{}
	stopped chan struct{}

	mu       sync.Mutex
	attempts map[executor.Ref][]*tracked
	closed   bool
}

const (
	// noteInterval is the least time between two notes of a stream.
	noteInterval = time.Second
	// Before the next check a stream may grow growthMargin times faster than it did,
	// and at growthFloor bytes per second in any case.
	growthMargin = 8
	growthFloor  = 256 << 20
	// Checks of a stream that grows are minInterval to maxInterval apart. The first
	// checks of streams that begin to grow within wakeDelay are made together.
	minInterval = 5 * time.Millisecond
	maxInterval = 250 * time.Millisecond
	wakeDelay   = 50 * time.Millisecond
)

// Notice describes output that is dropped or lost.
type Notice struct {
	Ref    executor.Ref
	Stream api.Stream
	// Dropped is how much of the stream was dropped, in bytes from its start. There is
	// a notice when dropping begins, and each time the number has doubled.
	Dropped int64
	// Lost is set instead when output was lost on its way into the file. There is a
	// notice for each further gap, and each time the number of bytes has doubled.
	Lost executor.Loss
	// Err is set instead when output should have been dropped and could not be. There
	// is one notice.
	Err error
}

// tracked is one stream of an attempt. The tracker's mutex guards it.
type tracked struct {
	ref       executor.Ref
	stream    api.Stream
	path      string
	indexPath string
	max       int64 // 0 for no cap

	size    int64
	written time.Time  // when size was reached
	looked  time.Time  // when size was read
	rate    float64    // of growth at that time, in bytes per second
	low     int64      // everything below is dropped
	noted   notes.Note // the last one
	quiet   time.Time  // nothing came after it until then
	noticed int64      // the last notice
	failed  bool       // to drop
	changed time.Time  // the file or its attributes, when its loss was read
	lost    executor.Loss
	missing int64  // bytes that are lost, when changed
	told    Growth // what the tracker's grown was told in all

	// next is the time of the next check, zero for never. watched means that a write
	// wakes the tracker.
	next    time.Time
	watched bool
	waiter  linux.Waiter
	woken   atomic.Int64 // the time of the write that woke it, or 0
}

// NewTracker returns a new Tracker. It calls notice, unless that is nil, when output is
// dropped or lost, and grown, unless that is nil, whenever it finds that a stream has grown
// or that more of it was dropped or lost. Neither may block or call the Tracker.
func NewTracker(w *linux.Watcher, notice func(Notice), grown func(Growth)) *Tracker {
	if notice == nil {
		notice = func(Notice) {}
	}
	if grown == nil {
		grown = func(Growth) {}
	}
	t := &Tracker{
		watcher: w, notice: notice, grown: grown,
		due: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}),
		attempts: make(map[executor.Ref][]*tracked),
	}
	go t.run()
	return t
}

// Close ends the Tracker. The next Tracker of the attempts finds what was written since
// the last check.
func (t *Tracker) Close() {
	t.mu.Lock()
	closed := t.closed
	t.closed = true
	t.mu.Unlock()
	if !closed {
		close(t.quit)
	}
	<-t.stopped
	t.mu.Lock()
	defer t.mu.Unlock()
	for ref := range t.attempts {
		t.drop(ref)
	}
}

// Add begins to track an attempt whose files exist, best before it writes. Adding it
// again only changes the cap.
func (t *Tracker) Add(files Files) error {
	ref, max := files.Ref, files.Layout.Max
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return executor.Errorf(executor.Unavailable, "output: the tracker is closed")
	}
	if list := t.attempts[ref]; list != nil {
		for _, s := range list {
			s.max = max
		}
		return nil
	}
	var list []*tracked
	for _, f := range files.streams() {
		s := &tracked{ref: ref, stream: f.stream, path: f.path, indexPath: f.index(), max: max, next: time.Now()}
		s.waiter.Wake = func() {
			s.woken.Store(time.Now().UnixNano())
			t.poke()
		}
		if err := s.begin(); err != nil {
			return fileError(err)
		}
		list = append(list, s)
	}
	t.attempts[ref] = list
	t.poke()
	return nil
}

// Remove stops tracking an attempt, after a last check.
func (t *Tracker) Remove(ref executor.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.attempts[ref] {
		t.look(s, time.Now())
		s.enter()
	}
	t.drop(ref)
}

func (t *Tracker) drop(ref executor.Ref) {
	for _, s := range t.attempts[ref] {
		if s.watched {
			t.watcher.Disarm(&s.waiter)
		}
	}
	delete(t.attempts, ref)
}

// poke makes run start a round soon.
func (t *Tracker) poke() {
	select {
	case t.due <- struct{}{}:
	default:
	}
}

func (t *Tracker) run() {
	defer close(t.stopped)
	timer := time.NewTimer(wakeDelay)
	defer timer.Stop()
	var next time.Time // zero if the timer is not set
	for {
		select {
		case <-t.due:
			if soon := time.Now().Add(wakeDelay); next.IsZero() || soon.Before(next) {
				next = soon
				timer.Reset(wakeDelay)
			}
		case <-timer.C:
			if next = t.round(); !next.IsZero() {
				timer.Reset(max(time.Until(next), minInterval))
			}
		case <-t.quit:
			return
		}
	}
}

// round checks all streams that are due, and returns when the next one will be.
func (t *Tracker) round() (next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, list := range t.attempts {
		for _, s := range list {
			if woken := s.woken.Swap(0); woken != 0 {
				s.watched, s.next = false, now
				s.rest(time.Unix(0, woken)) // until that very moment
			}
			if !s.next.IsZero() && !s.next.After(now) {
				t.check(s, now)
			}
			if !s.next.IsZero() && (next.IsZero() || s.next.Before(next)) {
				next = s.next
			}
		}
	}
	return next
}

// check checks a stream and decides when to check it again.
func (t *Tracker) check(s *tracked, now time.Time) {
	grown := t.look(s, now)
	if !grown {
		s.rest(now)
	}
	if !grown && !s.watched {
		err := t.watcher.Arm(s.path, written, &s.waiter)
		switch {
		case err == nil:
			s.watched = true
			grown = t.look(s, now) // what came before the watch did
		case errors.Is(err, os.ErrNotExist):
			s.next = time.Time{}
			return
		}
	}
	if now.Sub(s.noted.At) >= noteInterval {
		s.enter()
	}
	switch {
	case grown || !s.watched:
		s.next = now.Add(s.interval())
	case s.size > s.noted.Offset:
		s.next = now.Add(noteInterval)
	default:
		s.next = time.Time{}
	}
}

// rest notes that a stream has not grown until now.
func (s *tracked) rest(now time.Time) {
	if s.size == s.noted.Offset {
		s.quiet = now
	}
}

// interval returns the time until a stream that grows must be checked again.
func (s *tracked) interval() time.Duration {
	if s.max <= 0 || s.failed {
		return maxInterval
	}
	room := float64(s.max - (s.size - s.low))
	seconds := room / max(growthMargin*s.rate, growthFloor)
	return min(max(time.Duration(seconds*float64(time.Second)), minInterval), maxInterval)
}

// begin reads the present state of a stream.
func (s *tracked) begin() error {
	f, err := linux.Open(s.path, os.O_RDONLY|unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	s.low = firstData(f, st.Size())
	s.noticed = s.low
	s.told = Growth{Stream: s.stream, Written: st.Size(), Dropped: s.low}
	if loss, err := executor.ReadLoss(s.path); err == nil {
		s.told.Lost = loss.Bytes
	}
	if x, err := notes.Open(s.indexPath, 0); err == nil {
		s.noted = notes.Last(x)
		x.Close()
	}
	if s.noted.At.IsZero() && st.Size() == 0 {
		s.noted.At = st.ModTime() // otherwise the first write has no known beginning
	}
	return nil
}

// look sees how far a stream has come, drops what is too much, and reports whether
// it has grown.
func (t *Tracker) look(s *tracked, now time.Time) (grown bool) {
	var st unix.Stat_t
	if err := unix.Lstat(s.path, &st); err != nil {
		s.looked = now
		return false
	}
	defer t.tell(s)
	t.checkLoss(s, time.Unix(st.Ctim.Unix()))
	if st.Size <= s.size {
		s.looked = now
		return false
	}
	s.rate = float64(st.Size-s.size) / max(now.Sub(s.looked), minInterval).Seconds()
	s.size, s.looked = st.Size, now
	s.written = time.Unix(st.Mtim.Unix())
	if s.max > 0 && s.size-s.low > s.max {
		t.cut(s)
	}
	return true
}

// checkLoss sends a notice of what an executor has recorded as missing.
func (t *Tracker) checkLoss(s *tracked, changed time.Time) {
	if changed.Equal(s.changed) {
		return
	}
	s.changed = changed
	loss, err := executor.ReadLoss(s.path)
	if err == nil {
		s.missing = loss.Bytes
	}
	if err == nil && (loss.Gaps > s.lost.Gaps || loss.Bytes > 2*s.lost.Bytes) {
		s.lost = loss
		t.notice(Notice{Ref: s.ref, Stream: s.stream, Lost: loss})
	}
}

// cut drops the oldest output so that three quarters of the cap are left.
func (t *Tracker) cut(s *tracked) {
	low, err := linux.PunchFile(s.path, s.size-s.max/4*3)
	if err != nil {
		if !s.failed {
			s.failed = true
			t.notice(Notice{Ref: s.ref, Stream: s.stream, Err: executor.Errorf(executor.Unsupported, "output cannot be capped: drop the start of %s: %w", s.path, err)})
		}
		return
	}
	s.low, s.failed = max(s.low, low), false
	if s.low > 0 && s.low >= 2*s.noticed {
		s.noticed = s.low
		t.notice(Notice{Ref: s.ref, Stream: s.stream, Dropped: s.low})
	}
	if f, err := notes.Open(s.indexPath, 0); err == nil {
		_ = notes.Trim(f, s.low) // the index is small, and the next cut tries again
		f.Close()
	}
}

// enter notes when what came since the last note was written, unless whoever copies the
// output does that.
func (s *tracked) enter() {
	if s.size <= s.noted.Offset {
		return
	}
	from := s.noted.At
	if s.quiet.After(from) {
		from = s.quiet
	}
	n := notes.Note{Offset: s.size, At: s.written, Span: max(0, s.written.Sub(from)), Sampled: true}
	if n.At.Before(s.noted.At) { // the clock was set back
		n.At = s.noted.At
	}
	f, err := notes.Open(s.indexPath, os.O_CREATE)
	if err != nil {
		return
	}
	defer f.Close()
	last := notes.Last(f)
	copied := last.Offset > 0 && !last.Sampled
	// When the disk is full the next note spans this one's time, too.
	if copied || notes.Write(f, n.Append(nil)) == nil {
		s.noted = n
	}
}
