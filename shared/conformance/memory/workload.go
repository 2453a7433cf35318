package memory

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// workloadArg, as its only argument, makes a program a workload.
const workloadArg = "workload"

// order is what a workload's process reads from its stdin.
type order struct {
	Launch launch `json:"launch"`
	Place  place  `json:"place"`
}

// answer is what it writes to its stdout when it runs, or cannot.
type answer struct {
	Code    executor.Code `json:"code,omitempty"`
	Message string        `json:"message,omitempty"`
	Record  record        `json:"record"`
}

// RunWorkload runs a workload and exits if the process was started to be one.
// Else it does nothing.
func RunWorkload() {
	if len(os.Args) != 2 || os.Args[1] != workloadArg {
		return
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	if err := runWorkload(); err != nil {
		_ = json.NewEncoder(os.Stdout).Encode(answer{Code: executor.CodeOf(err), Message: err.Error()})
		os.Exit(1)
	}
	os.Exit(0)
}

// runWorkload returns when the workload has ended and its exit is on disk, or
// with an error if it could not be started.
func runWorkload() error {
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return fmt.Errorf("reading the order: %w", err)
	}
	p, err := parse(o.Launch.Args)
	if err != nil {
		return err
	}
	out, err := openStreams(o.Launch.Stdio)
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", o.Place.Socket)
	if err != nil {
		return err
	}
	box := mailbox{signals: make(chan executor.Signal), ended: make(chan struct{})}
	go box.listen(listener)

	rec := record{Ref: o.Launch.Ref, Runtime: o.Launch.Runtime, PID: os.Getpid(), StartedAt: time.Now()}
	if err := writeJSON(o.Place.recordFile(), rec); err != nil {
		return err
	}
	_ = json.NewEncoder(os.Stdout).Encode(answer{Record: rec}) // the executor may be gone
	_ = os.Stdout.Close()

	in := interpreter{stdout: out.stdout, stderr: out.stderr, signals: box.signals}
	end := in.run(p)
	box.close()
	end.At = time.Now()
	out.close()
	// Whoever waits reads the exit when the process, and with it the socket, is
	// gone.
	return writeJSON(o.Place.exitFile(), end)
}

// mailbox takes signals for a program.
type mailbox struct {
	signals chan executor.Signal
	ended   chan struct{} // closed when the program has ended
	// answering is held while a signal is given to the program and answered.
	answering sync.RWMutex
}

// close takes no more signals, and waits until those that the program has got are
// answered: else one that it died of would seem to have come too late.
func (m *mailbox) close() {
	close(m.ended)
	m.answering.Lock() // for good: the process ends
}

// listen takes signals from executors. Byte 0 asks for nothing but to be told,
// by the end of the connection, that the process has ended.
func (m *mailbox) listen(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for b := make([]byte, 1); ; {
				if _, err := conn.Read(b); err != nil {
					return
				}
				if b[0] != 0 {
					m.give(conn, b)
				}
			}
		}()
	}
}

// give gives the program a signal, and answers if it has taken it.
func (m *mailbox) give(conn net.Conn, signal []byte) {
	m.answering.RLock()
	defer m.answering.RUnlock()
	select {
	case m.signals <- executor.Signal(signal[0]):
		_, _ = conn.Write(signal)
	case <-m.ended:
	}
}
