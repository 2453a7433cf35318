package oci

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// OOMWatcher counts the kernel's kills in cgroups that systemd makes. Systemd removes a
// scope, and its count, as soon as the last process has ended, so that nobody could read
// it then.
//
// With version 2 the kernel reports changes of memory.events by inotify. One goroutine
// reads them, for all containers. Of a change soon after another one the kernel tells
// later, and not at all if the cgroup is gone by then. So a file that has changed is read
// again for a while. If it is gone meanwhile, the count of the cgroup above, which has the
// kills of all below, may still say that there was none. With version 1 each container has an
// eventfd, which the kernel counts up for each kill and once more when the cgroup is
// gone; it is read when the container has ended.
//
// A container that ends while no executor runs has no count, and Killed says that it does
// not know.
type OOMWatcher struct {
	stop func() // ends the goroutine; nil if there is none
	wake int    // an eventfd for the goroutine

	mu      sync.Mutex
	stopped bool
	fd      int // of inotify; -1 if there is none
	watches map[int]*oomWatch
	// fresh are those that have changed a moment ago, and how often they are read again.
	fresh map[*oomWatch]int
}

// A file of memory.events that has changed is read again after each recheckPause, rechecks
// times. The kernel puts off a report for 10 ms (CGROUP_FILE_NOTIFY_MIN_INTV in
// kernel/cgroup/cgroup.c).
const (
	rechecks     = 15
	recheckPause = 2 * time.Millisecond
)

// oomWatch is what was seen of one cgroup.
type oomWatch struct {
	watcher *OOMWatcher
	file    string

	// These are of version 2.
	wd     int
	counts map[string]int64
	above  int64 // the kills of the cgroup above before counts were read, -1 if not known
	dying  bool  // out of memory, and the kill was not counted yet
	missed bool  // there may have been a change that could not be read any more

	mu      sync.Mutex
	eventfd int // of version 1; -1 if none
}

// NewOOMWatcher returns a watcher. If the kernel refuses one, it watches only what needs
// none.
func NewOOMWatcher() *OOMWatcher {
	w := &OOMWatcher{fd: -1, watches: map[int]*oomWatch{}, fresh: map[*oomWatch]int{}}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return w
	}
	if w.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(fd)
		return w
	}
	w.fd = fd
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run()
	}()
	w.stop = func() {
		w.mu.Lock()
		w.stopped = true
		w.signal()
		w.mu.Unlock()
		<-done
		_ = unix.Close(w.wake)
		_ = unix.Close(fd)
	}
	return w
}

// signal wakes the goroutine.
func (w *OOMWatcher) signal() {
	_, _ = unix.Write(w.wake, binary.NativeEndian.AppendUint64(nil, 1)) // without room it is awake
}

// Close ends the watcher. What it watched is not asked for any more.
func (w *OOMWatcher) Close() {
	if w.stop != nil {
		w.stop()
	}
}

// run reads changes until the watcher is stopped.
func (w *OOMWatcher) run() {
	for pause := -1; ; {
		fds := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}, {Fd: int32(w.wake), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, pause); err != nil && err != unix.EINTR {
			return
		}
		if pause = w.step(); pause == 0 {
			return
		}
	}
}

// step reads what there is to be read, and returns how many milliseconds to wait for more: 0
// means that the watcher is stopped, and -1 is without end.
func (w *OOMWatcher) step() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return 0
	}
	_, _ = unix.Read(w.wake, make([]byte, 8))
	w.read()
	for o := range w.fresh {
		w.recheck(o)
	}
	if len(w.fresh) == 0 {
		return -1
	}
	return int(recheckPause / time.Millisecond)
}

// recheck reads counts again that have changed. mu is held.
func (w *OOMWatcher) recheck(o *oomWatch) {
	switch changed := o.look(); {
	case o.missed:
		delete(w.fresh, o)
	case changed:
		w.fresh[o] = rechecks
	default:
		if w.fresh[o]--; w.fresh[o] <= 0 {
			delete(w.fresh, o)
		}
	}
}

// changed reads counts that are reported to have changed. mu is held.
func (w *OOMWatcher) changed(o *oomWatch) {
	o.look()
	if !o.missed {
		w.fresh[o] = rechecks
		w.signal()
	}
}

// read looks at each cgroup of which a change is reported. mu is held.
func (w *OOMWatcher) read() {
	var buffer [64 * unix.SizeofInotifyEvent]byte // the events of files have no names
	for {
		n, err := unix.Read(w.fd, buffer[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		for b := buffer[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd, mask := int(int32(binary.NativeEndian.Uint32(b))), binary.NativeEndian.Uint32(b[4:])
			b = b[min(len(b), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:]))):]
			switch seen := w.watches[wd]; {
			case mask&unix.IN_Q_OVERFLOW != 0:
				for _, all := range w.watches {
					w.changed(all)
				}
			case seen != nil && mask&unix.IN_MODIFY != 0:
				w.changed(seen)
			}
		}
	}
}

// look reads the counts, and reports whether they have changed.
func (o *oomWatch) look() (changed bool) {
	above := o.killsAbove()
	counts, err := linux.MemoryEvents(o.file)
	if err != nil {
		o.missed = true
		return false
	}
	changed = !maps.Equal(counts, o.counts)
	same := counts["oom_kill"] == o.counts["oom_kill"]
	o.dying = same && (o.dying || counts["oom"] > o.counts["oom"])
	o.counts, o.above = counts, above
	return changed
}

// killsAbove returns the kills in the cgroup above and all that are in it, -1 if that is not
// known.
func (o *oomWatch) killsAbove() int64 {
	dir := filepath.Dir(filepath.Dir(o.file))
	n, err := linux.OOMKills(filepath.Join(dir, filepath.Base(o.file)))
	if err != nil {
		return -1
	}
	return n
}

// Watch begins to watch a source if that is of a cgroup that systemd will remove, and
// returns it. Forget ends it.
func (w *OOMWatcher) Watch(s OOMSource) OOMSource {
	if s.File == "" || s.watch != nil || !strings.HasSuffix(filepath.Dir(s.File), ".scope") {
		return s
	}
	o := &oomWatch{watcher: w, file: s.File, wd: -1, eventfd: -1}
	w.mu.Lock()
	defer w.mu.Unlock()
	if filepath.Base(s.File) == oomControl {
		o.eventfd = notifyOOM(s.File)
	} else if w.fd >= 0 {
		if wd, err := unix.InotifyAddWatch(w.fd, s.File, unix.IN_MODIFY); err == nil {
			o.wd, w.watches[wd] = wd, o
			o.look() // what came before; a failure only means that it is over already
		}
	}
	if o.wd >= 0 || o.eventfd >= 0 {
		s.watch = o
	}
	return s
}

// notifyOOM returns an eventfd that counts the kills in a cgroup of version 1, or -1.
func notifyOOM(file string) int {
	control, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	defer unix.Close(control)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1
	}
	request := fmt.Sprintf("%d %d", fd, control)
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "cgroup.event_control"), []byte(request), 0); err != nil {
		_ = unix.Close(fd)
		return -1
	}
	return fd
}

// forget ends a watch.
func (o *oomWatch) forget() {
	o.watcher.mu.Lock()
	defer o.watcher.mu.Unlock()
	if o.wd >= 0 && o.watcher.watches[o.wd] == o {
		delete(o.watcher.watches, o.wd)
		delete(o.watcher.fresh, o)
		_, _ = unix.InotifyRmWatch(o.watcher.fd, uint32(o.wd)) // fails if the file is gone
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.eventfd >= 0 {
		_ = unix.Close(o.eventfd)
		o.eventfd = -1
	}
}

// killed reports what was seen of a cgroup that is gone, nil if that is not known.
// sigkill says that the container's first process was killed.
func (o *oomWatch) killed(before int64, sigkill bool) *bool {
	if o.wd < 0 {
		return o.signalled(sigkill)
	}
	o.watcher.mu.Lock()
	defer o.watcher.mu.Unlock()
	o.watcher.read() // what the goroutine has not come to yet
	killed := o.counts["oom_kill"] > before || o.dying
	_, fresh := o.watcher.fresh[o]
	if !killed && (fresh || o.missed) && (o.above < 0 || o.killsAbove() != o.above) {
		return nil
	}
	return &killed
}

// removedWait is how long a cgroup of version 1 that is gone may take to say so: the
// kernel does it later.
const removedWait = 250 * time.Millisecond

// signalled reports whether an eventfd was counted up for more than the removal.
func (o *oomWatch) signalled(sigkill bool) *bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	until := time.Now()
	if sigkill {
		until = until.Add(removedWait)
	}
	for signals := uint64(0); o.eventfd >= 0; time.Sleep(time.Millisecond) {
		var b [8]byte
		if n, err := unix.Read(o.eventfd, b[:]); err == nil && n == len(b) {
			signals += binary.NativeEndian.Uint64(b[:])
		}
		if killed := signals > 1; killed || !time.Now().Before(until) {
			return &killed
		}
	}
	return nil
}
