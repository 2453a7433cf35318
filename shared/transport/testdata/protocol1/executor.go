package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// execute is the executor. A workload prints its command line and ends with code
// 7; one whose command is "wait" runs until a signal ends it.
func execute() {
	path := filepath.Join(os.Getenv(socketDir), "plugin-protocol1")
	listener, err := net.Listen("unix", path)
	if err != nil {
		fail("%v", err)
	}
	fmt.Printf("1|1|unix|%s|netrpc|\n", path)
	e := &frozen{workloads: map[string]*workload{}}
	for {
		conn, err := listener.Accept()
		if err != nil {
			fail("%v", err)
		}
		go e.connection(conn)
	}
}

// frozen is what the executor knows, by container id.
type frozen struct {
	mu        sync.Mutex
	host      *rpc.Client
	calls     uint64
	opened    string
	workloads map[string]*workload
}

type ref struct {
	ID      string `json:"id"`
	Attempt int    `json:"attempt"`
}

type workload struct {
	ref     ref
	started time.Time
	signal  chan int
	end     string // the JSON of its exit, empty while it runs
	told    bool
}

// connection serves one connection of a host.
func (e *frozen) connection(conn net.Conn) {
	session, err := yamux.Server(conn, nil)
	if err != nil {
		return
	}
	control, err := session.Accept()
	if err != nil {
		return
	}
	for range 2 { // stdout and stderr, on which nothing is sent
		if _, err := session.Accept(); err != nil {
			return
		}
	}
	b := newBroker(session)
	go b.run()
	server := rpc.NewServer()
	if err := server.RegisterName("Dispenser", &dispenser{e, b}); err != nil {
		fail("%v", err)
	}
	if err := server.RegisterName("Control", &controller{}); err != nil {
		fail("%v", err)
	}
	server.ServeConn(control)
}

type controller struct{}

func (*controller) Ping(bool, *Empty) error { return nil }
func (*controller) Quit(bool, *Empty) error { os.Exit(0); return nil }

type dispenser struct {
	executor *frozen
	broker   *broker
}

func (d *dispenser) Dispense(name string, id *uint32) error {
	if name != "executor" {
		return fmt.Errorf("unknown plugin type: %s", name)
	}
	*id = 1
	go func() { _, _ = d.broker.accept(1) }()
	go func() {
		out, in, err := d.broker.both(toHost, toExecutor)
		if err != nil {
			return
		}
		serve(in, &Davit{answer: func(method string, body []byte) (string, string) { return d.executor.answer(out, method, body) }})
	}()
	return nil
}

func (e *frozen) answer(host *rpc.Client, method string, body []byte) (reply, code string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var in struct {
		Protocol int `json:"protocol"`
		ref
		Ref  ref `json:"ref"`
		Spec struct {
			Process struct {
				Args []string `json:"args"`
			} `json:"process"`
		} `json:"spec"`
		Stdio struct {
			Stdout struct {
				Kind string `json:"kind"`
				Path string `json:"path"`
			} `json:"stdout"`
		} `json:"stdio"`
		Signal int `json:"signal"`
	}
	if method != "runtime-resolve" {
		if err := json.Unmarshal(body, &in); err != nil {
			return err.Error(), "invalid"
		}
	}
	switch method {
	case "hello":
		if in.Protocol != 1 {
			return "executor protocol1 speaks protocol 1", "unsupported"
		}
		e.host = host
		opened := ""
		if e.opened != "" {
			opened = `,"opened":` + e.opened
		}
		return fmt.Sprintf(`{"protocol":1,"pid":%d,"description":{"name":"protocol1","version":"1","config":{"attributes":[{"name":"greeting","type":"string"}]}}%s}`, os.Getpid(), opened), ""
	case "validate":
		return "null", ""
	case "open":
		e.opened = string(body)
		return `{"capabilities":["close"]}`, ""
	case "close":
		time.AfterFunc(100*time.Millisecond, func() { os.Exit(0) })
		return "{}", ""
	case "create":
		if have := e.workloads[in.Ref.ID]; have == nil || have.end != "" && have.ref.Attempt < in.Ref.Attempt {
			w := &workload{ref: in.Ref, started: time.Now(), signal: make(chan int, 1)}
			e.workloads[in.Ref.ID] = w
			go e.run(w, in.Spec.Process.Args, in.Stdio.Stdout.Path)
		}
		return e.workloads[in.Ref.ID].status(), ""
	case "restore":
		w := e.workloads[in.Ref.ID]
		if w == nil || w.ref != in.Ref {
			return "no such attempt", "not_found"
		}
		return w.status(), ""
	case "list":
		var all []string
		for _, w := range e.workloads {
			all = append(all, w.status())
		}
		return "[" + strings.Join(all, ",") + "]", ""
	case "signal":
		w := e.workloads[in.Ref.ID]
		if w == nil || w.ref != in.Ref {
			return "no such attempt", "not_found"
		}
		if w.end != "" {
			return "it has ended", "failed_precondition"
		}
		w.signal <- in.Signal
		return "{}", ""
	case "delete":
		delete(e.workloads, in.ref.ID)
		return "{}", ""
	}
	return "unknown method " + method, "unsupported"
}

func (e *frozen) run(w *workload, args []string, stdout string) {
	code := 7
	if args[0] == "wait" {
		code = 128 + <-w.signal
	} else if f, err := os.OpenFile(stdout, os.O_WRONLY|os.O_APPEND, 0); err == nil {
		fmt.Fprintln(f, strings.Join(args, " "))
		_ = f.Close()
	}
	e.mu.Lock()
	w.end = fmt.Sprintf(`{"code":%d,"at":%q,"source":"observed"}`, code, time.Now().Format(time.RFC3339Nano))
	status := w.status()
	e.mu.Unlock()
	refJSON, _ := json.Marshal(w.ref)
	e.tell("exited", status)
	e.mu.Lock()
	w.told = true
	e.mu.Unlock()
	e.tell("released", fmt.Sprintf(`{"ref":%s,"output":"complete"}`, refJSON))
}

// tell repeats a call until a host has answered it.
func (e *frozen) tell(method, body string) {
	for ; ; time.Sleep(50 * time.Millisecond) {
		e.mu.Lock()
		e.calls++
		client, id := e.host, e.calls
		e.mu.Unlock()
		if _, code, err := call(client, id, method, body); err == nil && code == "" {
			return
		}
	}
}

func (w *workload) status() string {
	refJSON, _ := json.Marshal(w.ref)
	state, more := "running", ""
	if w.end != "" {
		state, more = "exited", `,"exit":`+w.end
	}
	if w.told {
		state, more = "released", more+`,"output":"complete"`
	}
	return fmt.Sprintf(`{"ref":%s,"state":%q,"started_at":%q%s}`, refJSON, state, w.started.Format(time.RFC3339Nano), more)
}
