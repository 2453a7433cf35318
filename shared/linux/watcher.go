package linux

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Watcher wakes those who wait for an event of a file. A process needs only one: it is
// one inotify instance, of which a user may have 128 (fs.inotify.max_user_instances).
// When the instances or the watches of the user are used up, a Watcher wakes its waiters
// five times a second instead. It is safe for concurrent use.
type Watcher struct {
	// f is the inotify instance, fd its descriptor: f.Fd would make it blocking. Without
	// an instance f is nil.
	f  *os.File
	fd int

	stop    chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	// waiting has the waiters of each watch descriptor. A descriptor is good for one
	// event, and is then removed. Those without a watch are under unwatched.
	waiting map[int32]map[*Waiter]bool
	polling bool
}

const (
	unwatched = -1
	pollPause = 200 * time.Millisecond
)

// Waiter waits for one event of a file at a time.
type Waiter struct {
	// Wake is called once for each Arm, at the event, when there can be none any more, or
	// when the Watcher could not tell. It must neither block nor call the Watcher.
	Wake func()

	wd int32 // the Watcher's mutex guards it
}

// NewWatcher returns a new Watcher. Close ends it.
func NewWatcher() *Watcher {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return newWatcher(nil)
	}
	w := newWatcher(os.NewFile(uintptr(fd), "inotify"))
	w.fd = fd
	w.running.Go(w.dispatch)
	return w
}

func newWatcher(f *os.File) *Watcher {
	return &Watcher{f: f, stop: make(chan struct{}), waiting: make(map[int32]map[*Waiter]bool)}
}

// Close ends the Watcher. It wakes nobody.
func (w *Watcher) Close() error {
	w.mu.Lock()
	closed := w.closed
	w.closed = true
	w.mu.Unlock()
	if closed {
		return os.ErrClosed
	}
	close(w.stop)
	var err error
	if w.f != nil {
		err = w.f.Close()
	}
	w.running.Wait()
	return err
}

// Arm wakes who once, at the next of some events of a file, such as
// [unix.IN_MODIFY]. What has happened before wakes nobody, so arm first and look then.
func (w *Watcher) Arm(path string, events uint32, who *Waiter) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return os.ErrClosed
	}
	wd, err := w.watch(path, events)
	if err != nil {
		return err
	}
	who.wd = wd
	if w.waiting[who.wd] == nil {
		w.waiting[who.wd] = make(map[*Waiter]bool)
	}
	w.waiting[who.wd][who] = true
	return nil
}

// watch returns a watch descriptor. If the user has no more of them, it starts to poll.
// The caller has w.mu.
func (w *Watcher) watch(path string, events uint32) (int32, error) {
	if w.f != nil {
		// Without IN_MASK_ADD the kernel clears the mask of a watch that exists before
		// it sets it again, and a write in between wakes nobody.
		wd, err := unix.InotifyAddWatch(w.fd, path, events|unix.IN_ONESHOT|unix.IN_MASK_ADD)
		if !errors.Is(err, unix.ENOSPC) {
			return int32(wd), err
		}
	}
	// What inotify says of a path that cannot be watched holds here as well.
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return 0, err
	}
	if !w.polling {
		w.polling = true
		w.running.Go(w.poll)
	}
	return unwatched, nil
}

// poll wakes those without a watch now and then, until the Watcher is closed.
func (w *Watcher) poll() {
	ticker := time.NewTicker(pollPause)
	defer ticker.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-ticker.C:
			w.signal(unwatched)
		}
	}
}

// Disarm undoes Arm, whether the event came or not.
func (w *Watcher) Disarm(who *Waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	set := w.waiting[who.wd]
	if !set[who] || w.closed {
		return
	}
	delete(set, who)
	if len(set) == 0 {
		delete(w.waiting, who.wd)
		if who.wd != unwatched {
			_, _ = unix.InotifyRmWatch(w.fd, uint32(who.wd))
		}
	}
}

// Armed returns for how many files somebody waits.
func (w *Watcher) Armed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting)
}

// dispatch wakes waiters until the inotify instance is closed.
func (w *Watcher) dispatch() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.f.Read(buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd := int32(binary.NativeEndian.Uint32(b))
			mask := binary.NativeEndian.Uint32(b[4:])
			b = b[unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:])):]
			if mask&unix.IN_Q_OVERFLOW != 0 {
				w.signalAll()
			} else {
				w.signal(wd)
			}
		}
	}
}

// signal wakes all who wait for a descriptor, which is then used up. The event is the
// one that was waited for, or the kernel's notice after it that the watch is gone,
// which wakes those who came in between.
func (w *Watcher) signal(wd int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for who := range w.waiting[wd] {
		who.Wake()
	}
	delete(w.waiting, wd)
}

// signalAll wakes all waiters, after the kernel has dropped events.
func (w *Watcher) signalAll() {
	w.mu.Lock()
	wds := make([]int32, 0, len(w.waiting))
	for wd := range w.waiting {
		wds = append(wds, wd)
	}
	w.mu.Unlock()
	for _, wd := range wds {
		w.signal(wd)
	}
}
