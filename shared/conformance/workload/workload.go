// Package workload is what the conformance suite's workloads do: the other end of
// conformance.Program. It imports the standard library alone and compiles for
// every platform that Go has, so that a program made of it runs where an executor
// needs it to: in an empty root file system, on this machine, as a WASI module.
//
//	package main
//
//	func main() { os.Exit(workload.Main(os.Args[1:])) }
//
// The arguments are steps, separated by arguments ";". The program ends with code
// 0 after the last one.
//
//	print STREAM TEXT  write TEXT and a newline to STREAM, "stdout" or "stderr"
//	count STREAM N     write the numbers 1 to N, each on a line
//	mark FILE TEXT     append TEXT and a newline to FILE
//	await FILE         wait until FILE exists
//	ignore SIGNAL      ignore a signal, by number
//	trap SIGNAL CODE   exit with CODE when SIGNAL arrives
//	exit CODE          end with CODE
package workload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// failed is the exit code of a program that is wrong, or could not do a step.
const failed = 125

// poll is how often a file that is awaited is looked for.
const poll = 10 * time.Millisecond

// Main does the steps and gives the exit code.
func Main(args []string) int {
	for len(args) > 0 {
		n := slices.Index(args, ";")
		if n < 0 {
			n = len(args)
		}
		code, ended, err := step(args[:n])
		if err != nil {
			fmt.Fprintf(os.Stderr, "%q: %v\n", args[:n], err)
			return failed
		}
		if ended {
			return code
		}
		args = args[min(n+1, len(args)):]
	}
	return 0
}

// step does one step and reports whether it was the last, with the code.
func step(words []string) (code int, ended bool, err error) {
	verb, first, second := "", "", ""
	switch len(words) {
	case 3:
		verb, first, second = words[0], words[1], words[2]
	case 2:
		verb, first = words[0], words[1]
	}
	switch verb {
	case "print":
		_, err = io.WriteString(stream(first), second+"\n")
	case "count":
		err = count(stream(first), second)
	case "mark":
		err = mark(first, second)
	case "await":
		for {
			if _, err := os.Stat(first); err == nil {
				return 0, false, nil
			}
			time.Sleep(poll)
		}
	case "ignore":
		code, err = strconv.Atoi(first)
		signal.Ignore(syscall.Signal(code))
	case "trap":
		err = trap(first, second)
	case "exit":
		code, err = strconv.Atoi(first)
		return code, true, err
	default:
		err = errors.New("no such step")
	}
	return 0, false, err
}

func stream(name string) io.Writer {
	if name == "stderr" {
		return os.Stderr
	}
	return os.Stdout
}

func count(w io.Writer, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 32<<10)
	for i := 1; i <= n; i++ {
		_, _ = out.WriteString(strconv.Itoa(i) + "\n") // Flush has the error
	}
	return out.Flush()
}

func mark(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}

func trap(sig, text string) error {
	n, err := strconv.Atoi(sig)
	code, codeErr := strconv.Atoi(text)
	if err := errors.Join(err, codeErr); err != nil {
		return err
	}
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.Signal(n))
	go func() { // for as long as the program runs
		<-arrived
		os.Exit(code)
	}()
	return nil
}
