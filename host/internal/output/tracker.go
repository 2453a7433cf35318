package output

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/internal/stream"
	"github.com/davit-run/davit/shared/executor"
)

// Tracker looks after the output of the attempts that run: it keeps the index of
// when what was written, and drops the oldest output beyond a cap. It costs
// nothing for files that nobody writes to. It is safe for concurrent use.
//
// A file that is written to is looked at every quarter of a second, and more
// often the faster it grows and the less room there is under its cap. A workload
// that writes as fast as it can holds some tens of megabytes more than its cap,
// but for the first quarter of a second.
type Tracker struct {
	watcher *Watcher
	notice  func(Notice)
	due     chan struct{}
	quit    chan struct{}
	stopped chan struct{}

	mu       sync.Mutex
	attempts map[executor.Ref][]*tracked
	closed   bool
}

const (
	// entryInterval is the least time between two entries of a stream.
	entryInterval = time.Second
	// A stream may come to grow this many times faster than it did, and at this
	// many bytes per second in any case, before it is looked at again.
	growthMargin = 8
	growthFloor  = 256 << 20
	// Looks at a stream that grows are this far apart, and those at streams that
	// begin to grow are put together.
	minInterval = 5 * time.Millisecond
	maxInterval = 250 * time.Millisecond
	wakeDelay   = 50 * time.Millisecond
	// indexSlack is how much of an index may tell of output that is dropped.
	indexSlack = 1 << 20
)

// Notice tells of output that is dropped or lost.
type Notice struct {
	Ref    executor.Ref
	Stream stream.Stream
	// Dropped is how much of the stream is gone, in bytes from its start. It is
	// told first when dropping begins, and then each time it has doubled.
	Dropped int64
	// Lost is set instead when output was lost on its way into the file, each time
	// that there is one more gap or twice as much is missing.
	Lost executor.Loss
	// Err is set instead when output should have been dropped and could not be.
	// It is told once.
	Err error
}

// tracked is one stream of an attempt. The tracker's mutex guards it.
type tracked struct {
	ref       executor.Ref
	stream    stream.Stream
	path      string
	indexPath string
	max       int64 // 0 for no cap

	size    int64
	written time.Time // when size was reached
	looked  time.Time // when it was read
	rate    float64   // of growth at that time, in bytes per second
	low     int64     // all below is dropped
	entry   entry     // the last one
	quiet   time.Time // until when nothing came after entry
	told    int64     // the last notice
	failed  bool      // to drop
	changed time.Time // the file or its attributes, when its loss was read
	lost    executor.Loss

	// next is when to look, zero for never. Watched says that a write wakes us.
	next    time.Time
	watched bool
	wd      int32
	waiter  waiter
	woken   atomic.Int64 // the time of the write that did, or 0
}

// NewTracker makes a Tracker. Notice, which may be nil, is called with what is
// worth knowing, and must not block or call back.
func NewTracker(w *Watcher, notice func(Notice)) *Tracker {
	if notice == nil {
		notice = func(Notice) {}
	}
	t := &Tracker{
		watcher: w, notice: notice,
		due: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}),
		attempts: make(map[executor.Ref][]*tracked),
	}
	go t.run()
	return t
}

// Close ends the Tracker. What was written since the last look is found by the
// one that tracks the attempts next.
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

// Add begins to track an attempt whose files exist, best before it writes. Max
// caps what each stream keeps, in bytes; 0 is no cap. Adding again changes the
// cap alone.
func (t *Tracker) Add(ref executor.Ref, files Files, max int64) error {
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
	x, err := openIndex(files.Index)
	if err != nil {
		return fileError(err)
	}
	defer x.close()
	var list []*tracked
	for _, f := range files.streams() {
		s := &tracked{ref: ref, stream: f.stream, path: f.path, indexPath: files.Index, max: max, entry: x.last(f.stream), next: time.Now()}
		s.waiter.wake = func() {
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

// Remove stops tracking an attempt, after a last look.
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
			t.watcher.disarm(s.wd, &s.waiter)
		}
	}
	delete(t.attempts, ref)
}

// poke makes run look around.
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

// round looks at all streams that are due and tells when the next one will be.
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

// check looks at a stream and decides when to look again.
func (t *Tracker) check(s *tracked, now time.Time) {
	grown := t.look(s, now)
	if !grown {
		s.rest(now)
	}
	if !grown && !s.watched {
		var err error
		s.wd, err = t.watcher.arm(s.path, &s.waiter)
		switch {
		case err == nil:
			s.watched = true
			grown = t.look(s, now) // what came before the watch did
		case errors.Is(err, os.ErrNotExist):
			s.next = time.Time{}
			return
		}
	}
	if now.Sub(s.entry.at) >= entryInterval {
		s.enter()
	}
	switch {
	case grown || !s.watched:
		s.next = now.Add(s.interval())
	case s.size > s.entry.offset:
		s.next = now.Add(entryInterval)
	default:
		s.next = time.Time{}
	}
}

// rest notes that a stream has not grown until now.
func (s *tracked) rest(now time.Time) {
	if s.size == s.entry.offset {
		s.quiet = now
	}
}

// interval gives how long a stream that grows can be left alone.
func (s *tracked) interval() time.Duration {
	if s.max <= 0 || s.failed {
		return maxInterval
	}
	room := float64(s.max - (s.size - s.low))
	seconds := room / max(growthMargin*s.rate, growthFloor)
	return min(max(time.Duration(seconds*float64(time.Second)), minInterval), maxInterval)
}

// begin finds out where a stream stands.
func (s *tracked) begin() error {
	f, err := os.OpenFile(s.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	s.low = firstData(f, st.Size())
	s.told = s.low
	if s.entry.at.IsZero() && st.Size() == 0 {
		s.entry.at = st.ModTime() // else nobody knows since when it was written to
	}
	return nil
}

// look sees how far a stream has come, drops what is too much, and tells whether
// it has grown.
func (t *Tracker) look(s *tracked, now time.Time) (grown bool) {
	var st unix.Stat_t
	if err := unix.Lstat(s.path, &st); err != nil {
		s.looked = now
		return false
	}
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

// checkLoss tells of what an executor has noted to be missing.
func (t *Tracker) checkLoss(s *tracked, changed time.Time) {
	if changed.Equal(s.changed) {
		return
	}
	s.changed = changed
	loss, err := executor.ReadLoss(s.path)
	if err == nil && (loss.Gaps > s.lost.Gaps || loss.Bytes > 2*s.lost.Bytes) {
		s.lost = loss
		t.notice(Notice{Ref: s.ref, Stream: s.stream, Lost: loss})
	}
}

// cut drops the oldest output so that three quarters of the cap are left.
func (t *Tracker) cut(s *tracked) {
	low, err := punchFile(s.path, s.size-s.max/4*3)
	if err != nil {
		if !s.failed {
			s.failed = true
			t.notice(Notice{Ref: s.ref, Stream: s.stream, Err: executor.Errorf(executor.Unsupported, "output cannot be capped: drop the start of %s: %w", s.path, err)})
		}
		return
	}
	s.low, s.failed = max(s.low, low), false
	if s.low > 0 && s.low >= 2*s.told {
		s.told = s.low
		t.notice(Notice{Ref: s.ref, Stream: s.stream, Dropped: s.low})
	}
	lows := make(map[stream.Stream]int64)
	for _, one := range t.attempts[s.ref] {
		lows[one.stream] = one.low
	}
	_ = trimIndex(s.indexPath, lows) // it is small, and the next cut tries again
}

// enter adds what came since the last entry to the index.
func (s *tracked) enter() {
	if s.size <= s.entry.offset {
		return
	}
	from := s.entry.at
	if s.quiet.After(from) {
		from = s.quiet
	}
	e := entry{stream: s.stream, offset: s.size, at: s.written, span: max(0, s.written.Sub(from))}
	if e.at.Before(s.entry.at) { // the clock was set back
		e.at = s.entry.at
	}
	// When the disk is full the next entry spans this one's time, too.
	if appendEntry(s.indexPath, e) == nil {
		s.entry = e
	}
}
