// Command workload does what its arguments say, step by step: it is what the tests
// run, as a WebAssembly module.
package main

import (
	"bufio"
	"os"
	"strconv"
	"time"
)

var streams = map[string]*os.File{"stdout": os.Stdout, "stderr": os.Stderr}

func main() {
	next := func() string {
		arg := os.Args[1]
		os.Args = os.Args[1:]
		return arg
	}
	number := func() int {
		n, err := strconv.Atoi(next())
		check(err)
		return n
	}
	for len(os.Args) > 1 {
		switch action := next(); action {
		case "print": // STREAM TEXT
			_, err := streams[next()].WriteString(next() + "\n")
			check(err)
		case "damage": // STREAM, whose error is what the test hopes for
			f := streams[next()]
			_ = f.Truncate(3)
			_ = f.Truncate(1 << 43)
			_, _ = f.WriteAt([]byte("XXX"), 0)
			_, _ = f.Seek(0, 0)
		case "count": // STREAM N
			count(streams[next()], number())
		case "mark": // FILE TEXT
			f, err := os.OpenFile(next(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
			check(err)
			_, err = f.WriteString(next() + "\n")
			check(err)
			check(f.Close())
		case "await": // FILE
			for name := next(); ; time.Sleep(5 * time.Millisecond) {
				if _, err := os.Stat(name); err == nil {
					break
				}
			}
		case "cat": // FILE
			text, err := os.ReadFile(next())
			check(err)
			_, err = os.Stdout.Write(text)
			check(err)
		case "symlink": // TARGET LINK
			check(os.Symlink(next(), next()))
		case "env":
			for _, e := range os.Environ() {
				_, err := os.Stdout.WriteString(e + "\n")
				check(err)
			}
		case "memory": // MEGABYTES
			block := make([]byte, number()<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
		case "spin":
			for { //nolint:revive // it must use all the time there is
			}
		case "exit": // CODE
			os.Exit(number())
		default:
			panic("unknown action " + action)
		}
	}
}

func count(to *os.File, n int) {
	w := bufio.NewWriter(to)
	for i := 1; i <= n; i++ {
		_, err := w.WriteString(strconv.Itoa(i) + "\n")
		check(err)
	}
	check(w.Flush())
}

func check(err error) {
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}
