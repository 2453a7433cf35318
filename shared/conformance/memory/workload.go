package memory

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	program "github.com/davit-run/davit/shared/conformance/workload"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// order is what a workload's process reads from its stdin.
type order struct {
	Record record   `json:"record"`
	Args   []string `json:"args"`
	Place  place    `json:"place"`
	// Within is the socket of the workload with which it ends, if it is a further process.
	Within string `json:"within,omitempty"`
	// Size is that of its terminal.
	Size executor.TerminalSize `json:"size"`
}

// record is what is known of a workload from its start.
type record struct {
	Ref       executor.Ref `json:"ref"`
	Runtime   string       `json:"runtime,omitempty"`
	PID       int          `json:"pid,omitempty"`
	StartedAt time.Time    `json:"started_at"`

	Stdio executor.Stdio `json:"stdio"`
}

// answer is what it writes to its stdout when it runs, or cannot.
type answer struct {
	Code    executor.Code `json:"code,omitempty"`
	Message string        `json:"message,omitempty"`
	Record  record        `json:"record"`
}

// workloadArg, as its only argument, makes a program run a workload.
const workloadArg = "workload"

// RunWorkload runs a workload and exits, if the process was started for that.
// Otherwise it does nothing.
func RunWorkload() {
	if len(os.Args) != 2 || os.Args[1] != workloadArg {
		return
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	var o order
	err := json.NewDecoder(os.Stdin).Decode(&o)
	if err == nil {
		o.Record.PID = os.Getpid()
		err = o.run(nil, func(r record) {
			_ = json.NewEncoder(os.Stdout).Encode(answer{Record: r}) // the executor may be gone
			_ = os.Stdout.Close()
		})
	}
	if err != nil {
		_ = json.NewEncoder(os.Stdout).Encode(answer{Code: executor.CodeOf(err), Message: err.Error()})
		os.Exit(1)
	}
	os.Exit(0)
}

// run returns when the workload has ended and its exit is on disk, or with an error
// if it could not be started. Whoever waits reads the exit when the socket is gone.
// The workload is killed when kill is closed.
func (o order) run(kill <-chan struct{}, started func(record)) error {
	p, err := parse(o.Args)
	if err != nil {
		return err
	}
	var m program.Machine
	s, err := openStreams(o.Record.Stdio)
	if err != nil {
		return err
	}
	defer s.close()
	m.Stdin, m.Stdout, m.Stderr, m.Size = s.stdin, s.stdout, s.stderr, o.Place.size
	if err := writeJSON(o.Place.sizeFile(), o.Size); err != nil {
		return err
	}
	l, err := net.Listen("unix", o.Place.Socket)
	if err != nil {
		return err
	}
	events := make(chan int)
	m.Events = events
	box := mailbox{place: o.Place, streams: s, listener: l, events: events, ended: make(chan struct{}), conns: make(map[net.Conn]bool)}
	go box.listen()
	defer box.hangUp()
	o.Record.StartedAt = time.Now()
	for _, file := range []string{o.Place.noteFile(), o.Place.recordFile()} {
		if err := writeJSON(file, o.Record); err != nil {
			return err
		}
	}
	if err := o.Place.claim(); err != nil {
		return err // its start was cancelled
	}
	started(o.Record)

	go box.killOn(kill)
	go box.endWith(o.Within)
	end := p.Run(m)
	box.close()
	if box.killed.Load() { // perhaps in the middle of a step
		end = program.End{Code: 128 + int(syscall.SIGKILL), Signal: int(syscall.SIGKILL)}
	}
	exit := executor.Exit{Code: &end.Code, Signal: executor.Signal(end.Signal), OOM: &end.OOM, At: time.Now(), Source: executor.Observed}
	return writeJSON(o.Place.exitFile(), exit)
}

// mailbox receives events for a program.
type mailbox struct {
	place    place
	streams  *streams
	listener net.Listener
	events   chan<- int
	ended    chan struct{} // closed when the program has ended
	// answering is locked while an event is passed to the program and answered.
	answering sync.RWMutex
	killed    atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]bool // nil when all are closed
}

// listen receives events from executors. Byte 0 is no event: its sender only waits
// for the end of the connection, which shows that the workload has ended.
func (m *mailbox) listen() {
	for {
		conn, err := m.listener.Accept()
		if err != nil {
			return
		}
		m.mu.Lock()
		closed := m.conns == nil
		if !closed {
			m.conns[conn] = true
		}
		m.mu.Unlock()
		if closed {
			_ = conn.Close()
			continue
		}
		go m.serve(conn)
	}
}

func (m *mailbox) serve(conn net.Conn) {
	defer func() {
		m.mu.Lock()
		delete(m.conns, conn)
		m.mu.Unlock()
		_ = conn.Close()
	}()
	for b := make([]byte, 1); ; {
		if _, err := conn.Read(b); err != nil {
			return
		}
		if b[0] != 0 {
			m.pass(conn, b)
		}
	}
}

// pass passes an event to the program, and answers if the program has taken it. By
// then the program is paused or runs, and its files say so.
func (m *mailbox) pass(conn net.Conn, event []byte) {
	m.answering.RLock()
	defer m.answering.RUnlock()
	switch event[0] {
	case program.Pause:
		m.place.setPaused(true)
	case closeInput:
		m.streams.closeInput()
		_, _ = conn.Write(event)
		return
	case resized: // the program asks for the size
		_, _ = conn.Write(event)
		return
	case byte(syscall.SIGKILL):
		if m.kill() {
			_, _ = conn.Write(event)
		}
		return
	}
	select {
	case m.events <- int(event[0]):
		if event[0] == program.Resume {
			m.place.setPaused(false)
		}
		_, _ = conn.Write(event)
	case <-m.ended:
	}
}

// killOn ends the program when kill is closed.
func (m *mailbox) killOn(kill <-chan struct{}) {
	select {
	case <-kill:
	case <-m.ended:
		return
	}
	m.kill()
}

// kill ends the program, also if it waits for a reader or a writer. It reports whether the
// program had not ended.
func (m *mailbox) kill() bool {
	select {
	case m.events <- int(syscall.SIGKILL):
		return true
	case <-m.ended:
		return false
	case <-time.After(killPatience):
	}
	m.killed.Store(true)
	m.streams.close()
	select {
	case m.events <- int(syscall.SIGKILL):
	case <-m.ended:
	}
	return true
}

// killPatience is how long a program may be in the middle of something when it is killed.
// Then its streams are closed.
const killPatience = 100 * time.Millisecond

// endWith kills the program when the workload ends that listens at a socket.
func (m *mailbox) endWith(socket string) {
	if socket == "" {
		return
	}
	conn, err := net.Dial("unix", socket)
	if err == nil {
		defer conn.Close()
		go func() { // ends the read
			<-m.ended
			_ = conn.Close()
		}()
		_, _ = conn.Read(make([]byte, 1))
	}
	m.kill()
}

// close accepts no more events, and waits until those that the program has received
// are answered. Otherwise an event that it died of would seem to have come too late.
func (m *mailbox) close() {
	close(m.ended)
	m.answering.Lock() // for good
}

// hangUp closes the socket and all connections.
func (m *mailbox) hangUp() {
	_ = m.listener.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	for conn := range m.conns {
		_ = conn.Close()
	}
	m.conns = nil
}

// place is where a workload has its files.
type place struct {
	Dir    string `json:"dir"`
	Socket string `json:"socket"`
}

func (p place) recordFile() string { return filepath.Join(p.Dir, "record.json") }

// noteFile is a second record, which outlives the loss of the first.
func (p place) noteFile() string   { return p.Socket + ".json" }
func (p place) sizeFile() string   { return filepath.Join(p.Dir, "size.json") }
func (p place) exitFile() string   { return filepath.Join(p.Dir, "exit.json") }
func (p place) pausedFile() string { return filepath.Join(p.Dir, "paused") }

// claim decides whether a workload runs: the first caller does, the workload's process or
// who cancels its start. The others get an error.
func (p place) claim() error { return linux.Claim(filepath.Join(p.Dir, "claim")) }

func (p place) setPaused(on bool) {
	if on {
		_ = os.WriteFile(p.pausedFile(), nil, 0o600)
	} else {
		_ = os.Remove(p.pausedFile())
	}
}

// writeJSON writes a file that appears whole or not at all.
func writeJSON(path string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", body, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func readJSON(path string, v any) error {
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
