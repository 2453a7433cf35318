package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// host starts an executor and goes through all of protocol 1.
func host(program, dir string) {
	cmd := exec.Command(program)
	cmd.Env = []string{cookieName + "=" + cookieValue, socketDir + "=" + dir, "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		fail("%v", err)
	}
	if err := cmd.Start(); err != nil {
		fail("%v", err)
	}
	s := &session{process: cmd, dir: dir, reports: map[string]string{}}
	time.AfterFunc(2*time.Minute, func() { s.fail("it took too long") })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		s.fail("handshake: %v", err)
	}
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) < 5 || parts[0] != "1" || parts[1] != "1" || parts[2] != "unix" || parts[4] != "netrpc" {
		s.fail("the handshake line is %q", line)
	}
	s.connect(parts[3])
	s.script()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			s.fail("the executor ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		s.fail("the executor did not end after close")
	}
	fmt.Println("ok")
}

type session struct {
	process *exec.Cmd
	dir     string
	out     *rpc.Client
	calls   uint64

	mu      sync.Mutex
	reports map[string]string // bodies of exited and released, by method and id
}

func (s *session) fail(format string, args ...any) {
	_ = s.process.Process.Kill()
	fail(format, args...)
}

func (s *session) must(err error) {
	if err != nil {
		s.fail("%v", err)
	}
}

// connect does what go-plugin's client does, and opens the streams of calls.
func (s *session) connect(address string) {
	conn, err := net.Dial("unix", address)
	s.must(err)
	mux, err := yamux.Client(conn, nil)
	s.must(err)
	control, err := mux.Open()
	s.must(err)
	for range 2 {
		_, err := mux.Open()
		s.must(err)
	}
	b := newBroker(mux)
	go b.run()
	var id uint32
	s.must(rpc.NewClient(control).Call("Dispenser.Dispense", "executor", &id))
	dispensed, err := b.dial(id)
	s.must(err)
	s.must(dispensed.Close())
	out, in, err := b.both(toExecutor, toHost)
	s.must(err)
	s.out = out
	go serve(in, &Davit{answer: s.report})
}

// report takes what the executor tells.
func (s *session) report(method string, body []byte) (reply, code string) {
	var told struct {
		Ref struct {
			ID string `json:"id"`
		} `json:"ref"`
	}
	if err := json.Unmarshal(body, &told); err != nil || method != "exited" && method != "released" {
		return "what?", "invalid"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports[method+" "+told.Ref.ID] = string(body)
	return "{}", ""
}

// want makes a call and compares what comes back: for each path such as
// "exit.code" the value as JSON, or with the path "" the code of an error.
func (s *session) want(method, body string, want map[string]string) {
	s.calls++
	reply, code, err := call(s.out, s.calls, method, body)
	s.must(err)
	if code != want[""] {
		s.fail("%s %s: got the code %q, want %q", method, body, code, want[""])
	}
	s.compare(method+" "+body, reply, want)
}

func (s *session) compare(what, reply string, want map[string]string) {
	for path, value := range want {
		if path == "" {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(reply), &v); err != nil {
			s.fail("%s: the reply %q is not JSON: %v", what, reply, err)
		}
		for _, key := range strings.Split(path, ".") {
			if list, ok := v.([]any); ok {
				if len(list) == 0 {
					s.fail("%s: the reply %s is empty", what, reply)
				}
				v = list[0]
			}
			object, _ := v.(map[string]any)
			v = object[key]
		}
		if got, _ := json.Marshal(v); string(got) != value {
			s.fail("%s: %s is %s in the reply %s, want %s", what, path, got, reply, value)
		}
	}
}

// wantReport waits for a report about container c.
func (s *session) wantReport(method, c string, want map[string]string) {
	for range 3000 {
		s.mu.Lock()
		body, ok := s.reports[method+" "+c]
		s.mu.Unlock()
		if ok {
			s.compare(method+" of "+c, body, want)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.fail("no %s of %s", method, c)
}

type is = map[string]string

func (s *session) script() {
	stdout := filepath.Join(s.dir, "stdout")
	s.must(os.WriteFile(stdout, nil, 0o600))
	for _, sub := range []string{"s", "r"} {
		s.must(os.Mkdir(filepath.Join(s.dir, sub), 0o700))
	}
	s.want("list", `{}`, is{"": "failed_precondition"})
	s.want("hello", `{"protocol":99,"version":"frozen","epoch":1}`, is{"": "unsupported"})
	s.want("hello", `{"protocol":1,"version":"frozen","epoch":1}`, is{
		"protocol": "1", "description.name": `"memory"`, "pid": fmt.Sprint(s.process.Process.Pid),
		"description.config.attributes.name": `"create_delay"`, "description.config.attributes.type": `"duration"`,
	})
	s.want("list", `{}`, is{"": "failed_precondition"})
	s.want("validate", `{"config":{"create_delay":"soon"}}`, is{"severity": `"error"`, "path": `["config","create_delay"]`})
	environment := fmt.Sprintf(`{"host_id":"h","backend":"b","state_dir":%q,"run_dir":%q,"settings":{"config":{"create_delay":"1ms"}}}`, s.dir+"/s", s.dir+"/r")
	for _, capability := range []string{"runtime-resolve", "runtime-list", "check", "close"} { // and those that came later
		s.calls++
		reply, code, err := call(s.out, s.calls, "open", environment)
		s.must(err)
		if code != "" || !strings.Contains(reply, `"`+capability+`"`) {
			s.fail("open: got the code %q and the reply %s, want the capability %s", code, reply, capability)
		}
	}
	s.want("open", environment, is{})
	s.want("open", strings.Replace(environment, `"b"`, `"c"`, 1), is{"": "failed_precondition"})
	s.want("hello", `{"protocol":1,"version":"frozen","epoch":1}`, is{"opened.backend": `"b"`})

	s.want("runtime-resolve", `""`, is{"name": `"plain"`, "resolved": "{}"})
	s.want("runtime-resolve", `"other"`, is{"": "not_found"})
	s.want("runtime-list", `{}`, is{"name": `"plain"`, "default": "true"})
	s.want("check", `{}`, is{})
	s.want("dance", `{}`, is{"": "unsupported"})

	workload := func(id string, args ...string) string {
		words, _ := json.Marshal(args)
		return fmt.Sprintf(`{"ref":{"id":%q,"attempt":1},"spec":{"process":{"args":%s}},"runtime":{"name":"plain","resolved":{}},"stdio":{"stdout":{"kind":"file","path":%q}}}`, id, words, stdout)
	}
	s.want("create", workload("../x", "exit", "0"), is{"": "invalid"})
	s.want("create", workload("none", "dance"), is{"": "command_not_found"})
	s.want("create", workload("a", "print", "stdout", "hello", ";", "sleep", "60"), is{"ref": `{"attempt":1,"id":"a"}`, "state": `"running"`, "runtime": `"plain"`})
	s.want("create", workload("a", "exit", "0"), is{"state": `"running"`})
	s.want("list", `{}`, is{"ref.id": `"a"`, "state": `"running"`})
	s.want("restore", `{"ref":{"id":"a","attempt":1},"stdio":{}}`, is{"state": `"running"`})
	s.want("restore", `{"ref":{"id":"b","attempt":1},"stdio":{}}`, is{"": "not_found"})
	s.want("delete", `{"id":"a","attempt":1}`, is{"": "failed_precondition"})
	for text := []byte(nil); string(text) != "hello\n"; time.Sleep(10 * time.Millisecond) { // or it took too long
		text, _ = os.ReadFile(stdout)
	}
	s.want("signal", `{"ref":{"id":"a","attempt":1},"signal":15}`, is{})
	s.wantReport("exited", "a", is{"state": `"exited"`, "exit.code": "143", "exit.signal": "15", "exit.source": `"observed"`})
	s.wantReport("released", "a", is{"ref": `{"attempt":1,"id":"a"}`, "output": `"complete"`})
	s.want("signal", `{"ref":{"id":"a","attempt":1},"signal":15}`, is{"": "failed_precondition"})
	s.want("restore", `{"ref":{"id":"a","attempt":1},"stdio":{}}`, is{"exit.code": "143"})
	s.want("delete", `{"id":"a","attempt":1}`, is{})
	s.want("delete", `{"id":"a","attempt":1}`, is{})
	s.must(s.out.Call("Davit.Cancel", &CancelRequest{ID: 1}, &Empty{}))
	s.want("close", `{}`, is{})
	_ = s.out.Close()
}
