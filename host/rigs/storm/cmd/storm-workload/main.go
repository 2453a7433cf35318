// Storm-workload is what runs in the storm's containers. It notes that it was
// started, prints numbered lines, counts in a file those that were taken from it, and
// exits with the code in its arguments. Or it copies its input to its output instead, or prints
// the sum of a tree.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/davit-run/davit/host/rigs/storm/internal/line"
	"github.com/davit-run/davit/host/rigs/storm/internal/tree"
)

func main() {
	dir := flag.String("dir", "/storm", "`DIR` of the files starts and acked")
	lines := flag.Uint64("lines", 1, "lines to print, the stderr ones apart")
	rate := flag.Uint64("rate", 0, "lines per second, 0 for as many as possible")
	code := flag.Int("code", 0, "exit code")
	steered := flag.Bool("steered", false, "go on until the file stop is in the directory")
	quiet := flag.Bool("quiet", false, "print nothing on stderr")
	echo := flag.String("echo", "", "copy the input to the output, and note the start in this `FILE` of the directory")
	sum := flag.String("tree", "", "print the sum of the files in `DIR`")
	flag.String("token", "", "whatever makes the command line unique")
	flag.Parse()
	var err error
	switch {
	case *echo != "":
		err = copyInput(filepath.Join(*dir, *echo))
	case *sum != "":
		err = printSum(*sum)
	default:
		err = run(*dir, *lines, *rate, *steered, *quiet)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(255)
	}
	os.Exit(*code)
}

// copyInput copies the input to the output, in as many reads and writes as come.
func copyInput(note string) error {
	if err := noteStart(note); err != nil {
		return err
	}
	_, err := io.Copy(struct{ io.Writer }{os.Stdout}, struct{ io.Reader }{os.Stdin})
	return err
}

// printSum prints the sum of a tree.
func printSum(dir string) error {
	sum, err := tree.SumDir(dir)
	if err == nil {
		_, err = fmt.Println(sum)
	}
	return err
}

// errEvery is how many lines on stdout come with one on stderr.
const errEvery = 16

func run(dir string, lines, rate uint64, steered, quiet bool) error {
	if err := noteStart(filepath.Join(dir, "starts")); err != nil {
		return err
	}
	ack, err := counters(filepath.Join(dir, "acked"))
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
		return ack(fd-1, n)
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

// noteStart appends a line with our start time: a second start would leave a second
// line.
func noteStart(path string) error {
	at, err := startTime()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, at)
	return err
}
