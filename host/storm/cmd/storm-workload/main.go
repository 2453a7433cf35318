// Storm-workload is what runs in the storm's containers. It notes that it was
// started, prints numbered lines, counts in a file that is mapped into its memory
// those that the kernel has taken, and exits with the code that it was given.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/davit-run/davit/host/storm/internal/line"
)

func main() {
	dir := flag.String("dir", "/storm", "`DIR` of the files starts and acked")
	lines := flag.Uint64("lines", 1, "lines to print, the stderr ones apart")
	rate := flag.Uint64("rate", 0, "lines per second, 0 for as many as possible")
	code := flag.Int("code", 0, "exit code")
	steered := flag.Bool("steered", false, "go on until the file stop is in the directory")
	quiet := flag.Bool("quiet", false, "print nothing on stderr")
	flag.String("token", "", "whatever makes the command line unique")
	flag.Parse()
	if err := run(*dir, *lines, *rate, *steered, *quiet); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(255)
	}
	os.Exit(*code)
}

// errEvery is how many lines on stdout come with one on stderr.
const errEvery = 16

func run(dir string, lines, rate uint64, steered, quiet bool) error {
	if err := noteStart(filepath.Join(dir, "starts")); err != nil {
		return err
	}
	acked, err := mapped(filepath.Join(dir, "acked"))
	if err != nil {
		return err
	}
	begin := time.Now()
	var buf []byte
	put := func(fd int, stream byte, n uint64) error {
		buf = line.Append(buf[:0], stream, n)
		for rest := buf; len(rest) > 0; {
			w, err := syscall.Write(fd, rest)
			if err == syscall.EINTR || err == syscall.EAGAIN {
				continue
			}
			if err != nil {
				return err
			}
			rest = rest[w:]
		}
		atomic.StoreUint64(&acked[fd-1], n)
		return nil
	}
	for n := uint64(1); n <= lines || steered; n++ {
		if _, err := os.Stat(filepath.Join(dir, "stop")); steered && err == nil {
			return nil
		}
		if rate > 0 {
			if ahead := time.Duration(n)*time.Second/time.Duration(rate) - time.Since(begin); ahead > time.Millisecond {
				time.Sleep(ahead)
			}
		}
		if err := put(1, 'o', n); err != nil {
			return err
		}
		if n%errEvery == 0 && !quiet {
			if err := put(2, 'e', n/errEvery); err != nil {
				return err
			}
		}
	}
	return nil
}

// noteStart appends a line with our start time, in ticks since boot: a second
// start would leave a second line.
func noteStart(path string) error {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, fields[19])
	return err
}

// mapped gives two counters, for stdout and stderr, that a file holds.
func mapped(path string) (*[2]uint64, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mem, err := syscall.Mmap(int(f.Fd()), 0, 16, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*[2]uint64)(unsafe.Pointer(&mem[0])), nil
}
