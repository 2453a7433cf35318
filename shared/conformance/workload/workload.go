// Package workload runs the steps of the conformance suite's workloads: it is the
// other side of conformance.Program. It imports the standard library alone and
// compiles for every platform that Go has, so that a program made of it runs where an
// executor needs it to: in an empty root file system, on this machine, as a WASI
// module.
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
//	sleep DURATION     as in "1m30s", or a number of seconds
//	mark FILE TEXT     append TEXT and a newline to FILE
//	await FILE         wait until FILE exists
//	ignore SIGNAL      ignore a signal, by number
//	trap SIGNAL CODE   exit with CODE when SIGNAL arrives
//	exit CODE          end with CODE
//	die SIGNAL         end as if killed by SIGNAL
//	oom                end as if killed for want of memory
//	copy STREAM        copy stdin to STREAM until its end
//	size STREAM        write the rows and columns of the terminal that is stdin
//	exec PATH          must be the only step: succeeds if PATH can be executed
//
// A program that is malformed or cannot do a step ends with code 125.
package workload

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// failed is the exit code of a program that is malformed, or could not do a step.
const failed = 125

// Main does the steps as this process and returns the exit code.
func Main(args []string) int {
	p, err := Parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed
	}
	return p.Run(Machine{
		Stdin:  os.Stdin,
		Size:   func() (rows, columns int) { return terminalSize(os.Stdin.Fd()) },
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Ignore: func(sig int) { signal.Ignore(syscall.Signal(sig)) },
		Trap: func(sig, code int) {
			arrived := make(chan os.Signal, 1)
			signal.Notify(arrived, syscall.Signal(sig))
			go func() { // for as long as the program runs
				<-arrived
				os.Exit(code)
			}()
		},
	}).Code
}
