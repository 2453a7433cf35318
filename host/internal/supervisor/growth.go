package supervisor

import (
	"os"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// watchGrowth returns a channel that receives when something was written to one of the
// files, at first, and, where the kernel does not say so, now and then. At rest it costs
// nothing.
func watchGrowth(files ...*os.File) (grown <-chan struct{}, stop func()) {
	signal := make(chan struct{}, 1)
	signal <- struct{}{}
	done := make(chan struct{})
	events, err := watchWrites(files)
	if err != nil { // all instances of inotify are taken
		go func() {
			ticker := time.NewTicker(relayPoll)
			defer ticker.Stop()
			for {
				select {
				case <-done:
					return
				case <-ticker.C:
					notify(signal)
				}
			}
		}()
		return signal, func() { close(done) }
	}
	go func() {
		defer close(done)
		for buf := make([]byte, 4096); ; {
			if _, err := events.Read(buf); err != nil {
				return
			}
			notify(signal)
		}
	}()
	return signal, func() {
		_ = events.Close()
		<-done
	}
}

func notify(signal chan<- struct{}) {
	select {
	case signal <- struct{}{}:
	default: // it has one
	}
}

// watchWrites returns a file from which an event can be read after each write.
func watchWrites(files []*os.File) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		// By descriptor: the name may be another file's by now.
		if _, err := unix.InotifyAddWatch(fd, linux.FDPath(int(f.Fd())), unix.IN_MODIFY); err != nil {
			_ = unix.Close(fd)
			return nil, err
		}
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}
