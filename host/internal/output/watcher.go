package output

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/executor"
)

// Watcher tells readers that a file has changed. One is enough for a process;
// it is safe for concurrent use.
type Watcher struct {
	// f is the inotify instance, fd its descriptor: f.Fd would make it blocking.
	f       *os.File
	fd      int
	stopped chan struct{}

	mu     sync.Mutex
	closed bool
	// waiting holds those to wake by watch descriptor. A descriptor is good for
	// one event and then taken out.
	waiting map[int32]map[*waiter]bool
}

// waiter is who waits for a file. Its wake must neither block nor call back.
type waiter struct{ wake func() }

// NewWatcher makes a Watcher.
func NewWatcher() (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "output: no inotify instance (fs.inotify.max_user_instances bounds them): %w", err)
	}
	w := &Watcher{
		f:       os.NewFile(uintptr(fd), "inotify"),
		fd:      fd,
		stopped: make(chan struct{}),
		waiting: make(map[int32]map[*waiter]bool),
	}
	go w.dispatch()
	return w, nil
}

// Close ends the Watcher. Readers that are left find new output late.
func (w *Watcher) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	err := w.f.Close()
	<-w.stopped
	return err
}

// arm wakes once when a file is next written to, or its attributes. It returns a descriptor for
// disarm.
func (w *Watcher) arm(path string, who *waiter) (int32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, os.ErrClosed
	}
	// Without IN_MASK_ADD the kernel clears the mask of a watch that exists before
	// it sets it again, and a write in between wakes nobody.
	wd, err := unix.InotifyAddWatch(w.fd, path, unix.IN_MODIFY|unix.IN_ATTRIB|unix.IN_ONESHOT|unix.IN_MASK_ADD)
	if err != nil {
		return 0, err
	}
	if w.waiting[int32(wd)] == nil {
		w.waiting[int32(wd)] = make(map[*waiter]bool)
	}
	w.waiting[int32(wd)][who] = true
	return int32(wd), nil
}

// disarm takes back arm, whether the event came or not.
func (w *Watcher) disarm(wd int32, who *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	set := w.waiting[wd]
	if !set[who] || w.closed {
		return
	}
	delete(set, who)
	if len(set) == 0 {
		delete(w.waiting, wd)
		_, _ = unix.InotifyRmWatch(w.fd, uint32(wd))
	}
}

// dispatch hands out the events until the instance is closed.
func (w *Watcher) dispatch() {
	defer close(w.stopped)
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

// signal wakes all who wait for a descriptor, which is used up: by the write, or
// by the notice that follows it, which matters to those who came in between.
func (w *Watcher) signal(wd int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for who := range w.waiting[wd] {
		who.wake()
	}
	delete(w.waiting, wd)
}

// signalAll is for events that were lost.
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
