package oci

import (
	"encoding/binary"
	"fmt"
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
// With version 2 the kernel reports each change of memory.events by inotify. One
// goroutine reads them, for all containers. With version 1 each container has an
// eventfd, which the kernel counts up for each kill and once more when the cgroup is
// gone; it is read when the container has ended.
//
// A container that ends while no executor runs has no count, and Killed says that it does
// not know.
type OOMWatcher struct {
	stop func() // ends the goroutine; nil if there is none

	mu      sync.Mutex
	fd      int // of inotify; -1 if there is none
	watches map[int]*oomWatch
}

// oomWatch is what was seen of one cgroup.
type oomWatch struct {
	watcher *OOMWatcher
	file    string

	// These are of version 2.
	wd          int
	kills, ooms int64
	dying       bool // out of memory, and the kill was not counted yet
	missed      bool // a change was reported that could not be read any more

	mu      sync.Mutex
	eventfd int // of version 1; -1 if none
}

// NewOOMWatcher returns a watcher. If the kernel refuses one, it watches only what needs
// none.
func NewOOMWatcher() *OOMWatcher {
	w := &OOMWatcher{fd: -1, watches: map[int]*oomWatch{}}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return w
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd)
		return w
	}
	w.fd = fd
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(stop)
	}()
	w.stop = func() {
		_, _ = unix.Write(stop, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // the first: it has room
		<-done
		_ = unix.Close(stop)
		_ = unix.Close(fd)
	}
	return w
}

// Close ends the watcher. What it watched is not asked for any more.
func (w *OOMWatcher) Close() {
	if w.stop != nil {
		w.stop()
	}
}

// run reads changes until stop is written to.
func (w *OOMWatcher) run(stop int) {
	for {
		fds := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR || fds[1].Revents != 0 {
			return
		}
		w.mu.Lock()
		w.read()
		w.mu.Unlock()
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
					all.look()
				}
			case seen != nil && mask&unix.IN_MODIFY != 0:
				seen.look()
			}
		}
	}
}

// look reads the counts.
func (o *oomWatch) look() {
	counts, err := linux.MemoryEvents(o.file)
	if err != nil {
		o.missed = true
		return
	}
	kills, ooms := counts["oom_kill"], counts["oom"]
	o.dying = kills == o.kills && (o.dying || ooms > o.ooms)
	o.kills, o.ooms = kills, ooms
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
	killed := o.kills > before || o.dying
	if !killed && o.missed {
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
