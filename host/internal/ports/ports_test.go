package ports_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/ports"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// target is the address of the containers of these tests: of the machine, and another one
// than that on which they publish.
var target, local = netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")

// envHost makes the test program a host with the run directory that it names.
const envHost = "DAVIT_TEST_PORTS_HOST"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envHost); dir != "" {
		if err := beHost(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// wanted is the input of a host.
type wanted struct {
	ID    string
	Asked []publish.Port
	Begin bool // say when it begins to hold them
}

// beHost holds the ports of one container, says which, and waits to be killed.
func beHost(dir string) error {
	var input wanted
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		return err
	}
	want := ports.Want{ID: input.ID, Asked: input.Asked, Target: target}
	m, err := ports.Open(ports.Options{RunDir: dir, Logger: hclog.NewNullLogger(), Tied: want.ID == "tied"})
	if err != nil {
		return err
	}
	want.Record = func(_ context.Context, bound []publish.Port) error {
		return json.NewEncoder(os.Stdout).Encode(bound)
	}
	if input.Begin {
		fmt.Println("begin")
	}
	if err := m.Hold(context.Background(), want); err != nil {
		return err
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// site is a run directory with a manager.
type site struct {
	*ports.Manager
	t   testing.TB
	dir string
}

func open(t testing.TB, dir string) *site {
	t.Helper()
	m, err := ports.Open(ports.Options{RunDir: dir, Logger: hclog.NewNullLogger(), Name: func(id string) string { return "named " + id }})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{m, t, dir}
	t.Cleanup(func() {
		s.Close()
		last, err := ports.Open(ports.Options{RunDir: dir, Logger: hclog.NewNullLogger()})
		if err != nil {
			t.Fatal(err)
		}
		defer last.Close()
		ids, err := last.IDs()
		for _, id := range ids {
			err = errors.Join(err, last.End(context.Background(), id, nil))
		}
		if left, _ := os.ReadDir(filepath.Join(dir, "ports")); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
	return s
}

// hold publishes ports of a container, and returns what was bound.
func (s *site) hold(id string, asked ...publish.Port) []publish.Port {
	s.t.Helper()
	bound, err := s.Reserve(s.t.Context(), id, asked)
	if err != nil {
		s.t.Fatal(err)
	}
	recorded := false
	want := ports.Want{ID: id, Asked: asked, Target: target, Record: func(_ context.Context, got []publish.Port) error {
		if recorded = true; fmt.Sprint(got) != fmt.Sprint(bound) {
			s.t.Errorf("recorded %v, want the reserved %v", got, bound)
		}
		return nil
	}}
	if err := s.Hold(s.t.Context(), want); err != nil || !recorded {
		s.t.Fatal(err, recorded)
	}
	return bound
}

// pid returns the holder of a container.
func (s *site) pid(id string) int {
	s.t.Helper()
	found, err := linux.FindHolders(filepath.Join(s.dir, "ports", id, "lock"))
	if err != nil || len(found) != 1 {
		s.t.Fatalf("container %s has %d holders, %v", id, len(found), err)
	}
	defer found[0].Close()
	return found[0].PID
}

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	wait.Until(t, fmt.Sprintf("process %d has ended", pid), func() bool {
		stat, err := linux.StatOf(pid)
		return err != nil || stat.State == 'Z'
	})
}

// serveTCP serves TCP at a port of the target, with serve for each connection, and returns the
// port.
func serveTCP(t testing.TB, serve func(*net.TCPConn)) publish.Port {
	t.Helper()
	return serveTCPAt(t, target, serve)
}

// serveTCPAt does what serveTCP does, at another address.
func serveTCPAt(t testing.TB, at netip.Addr, serve func(*net.TCPConn)) publish.Port {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(at, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return publish.Port{HostIP: local, ContainerPort: uint16(l.Addr().(*net.TCPAddr).Port), Protocol: publish.TCP}
}

func echo(c *net.TCPConn) { _, _ = io.Copy(c, c) }

// dial connects to a published port.
func dial(t *testing.T, p publish.Port) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", p.Outer(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// say sends a line and returns the answer.
func say(c net.Conn, line string) (string, error) {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}

// check checks that an echo answers at a published port.
func check(t *testing.T, c net.Conn) {
	t.Helper()
	if got, err := say(c, "hello"); err != nil || got != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

// runHost starts a host that holds ports. It ends with the test.
func runHost(t *testing.T, dir string, input wanted) (cmd *exec.Cmd, lines *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(self)
	cmd.Env = append(os.Environ(), envHost+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	if err := json.NewEncoder(in).Encode(input); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// kill kills a host, unless that was done.
func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(unix.SIGKILL)
	_ = cmd.Wait()
}

// serves waits until an echo answers at a published port.
func serves(t *testing.T, p publish.Port) {
	t.Helper()
	wait.Until(t, "there is another holder", func() bool {
		c, err := net.Dial("tcp", p.Outer())
		if err != nil {
			return false
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		got, err := say(c, "x")
		return err == nil && got == "x"
	})
}

// killedHost returns what a host has bound for a container, and was then killed.
func killedHost(t *testing.T, dir string, want ports.Want) []publish.Port {
	t.Helper()
	cmd, lines := runHost(t, dir, wanted{ID: want.ID, Asked: want.Asked})
	if !lines.Scan() {
		t.Fatal(lines.Err())
	}
	var bound []publish.Port
	if err := json.Unmarshal(lines.Bytes(), &bound); err != nil || !lines.Scan() || lines.Text() != "held" {
		t.Fatal(err, lines.Text())
	}
	kill(cmd)
	return bound
}

// TestKilledAtAnyMoment kills hosts while they start a holder. The next host has the ports, and
// leaves nothing of them.
func TestKilledAtAnyMoment(t *testing.T) {
	port := serveTCP(t, echo)
	for i := range 25 {
		dir := t.TempDir()
		cmd, lines := runHost(t, dir, wanted{ID: "a", Asked: []publish.Port{port}, Begin: true})
		if !lines.Scan() || lines.Text() != "begin" {
			t.Fatal(lines.Text(), lines.Err())
		}
		time.Sleep(time.Duration(i) * 700 * time.Microsecond) // which moment, makes no difference
		_ = cmd.Process.Signal(unix.SIGKILL)
		want := ports.Want{ID: "a", Asked: []publish.Port{port}, Target: target}
		if lines.Scan() { // it was recorded
			if err := json.Unmarshal(lines.Bytes(), &want.Bound); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Wait()
		want.Record = func(_ context.Context, bound []publish.Port) error { want.Bound = bound; return nil }
		s := open(t, dir)
		if err := s.Hold(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		c := dial(t, want.Bound[0])
		check(t, c)
		_ = c.Close()
		pid := s.pid("a")
		if err := s.End(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		gone(t, pid)
		if found, err := linux.FindHolders(filepath.Join(dir, "ports", "a", "lock")); err != nil || len(found) > 0 {
			t.Errorf("there are still %v, %v", found, err)
		}
	}
}

func TestHolderOutlivesItsHost(t *testing.T) {
	dir := t.TempDir()
	port := serveTCP(t, echo)
	want := ports.Want{ID: "a", Asked: []publish.Port{port}, Target: target}
	want.Bound = killedHost(t, dir, want)
	s := open(t, dir)
	pid := s.pid("a")
	before := dial(t, want.Bound[0])
	check(t, before)
	if ids, err := s.IDs(); err != nil || fmt.Sprint(ids) != "[a]" {
		t.Errorf("got %v, %v", ids, err)
	}
	want.Record = func(_ context.Context, bound []publish.Port) error {
		t.Errorf("%v was bound anew", bound)
		return nil
	}
	for range 2 {
		if err := s.Hold(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.pid("a"); got != pid {
		t.Errorf("the holder is process %d, want the adopted %d", got, pid)
	}
	check(t, before)
	after := dial(t, want.Bound[0])
	check(t, after)
	if err := s.End(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	_ = before.Close()
	_ = after.Close()
	gone(t, pid)
}

func TestTiedHolderEndsWithItsHost(t *testing.T) {
	dir := t.TempDir()
	port := serveTCP(t, echo)
	bound := killedHost(t, dir, ports.Want{ID: "tied", Asked: []publish.Port{port}, Target: target})
	open(t, dir)
	wait.Until(t, "the port is free", func() bool {
		l, err := net.Listen("tcp", bound[0].Outer())
		if err == nil {
			_ = l.Close()
		}
		return err == nil
	})
}

func TestHolderThatDiesIsMadeAnew(t *testing.T) {
	s := open(t, t.TempDir())
	bound := s.hold("a", serveTCP(t, echo))
	pid := s.pid("a")
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	serves(t, bound[0])
	if got := s.pid("a"); got == pid {
		t.Errorf("process %d was killed", pid)
	}
}

func TestHolderThatHangsIsReplaced(t *testing.T) {
	t.Parallel() // it takes as long as a holder may take to answer
	dir := t.TempDir()
	port := serveTCP(t, echo)
	want := ports.Want{ID: "a", Asked: []publish.Port{port}, Target: target}
	want.Bound = killedHost(t, dir, want)
	s := open(t, dir)
	pid := s.pid("a")
	realtest.Stop(t, pid) // or it might still answer
	want.Record = func(context.Context, []publish.Port) error { return nil }
	s.Keep(want)
	gone(t, pid)
	serves(t, want.Bound[0])
}

func TestRedirect(t *testing.T) {
	s := open(t, t.TempDir())
	port := serveTCP(t, echo)
	want := ports.Want{ID: "a", Asked: []publish.Port{port}, Target: netip.MustParseAddr("127.0.0.3")}
	want.Record = func(_ context.Context, bound []publish.Port) error { want.Bound = bound; return nil }
	if err := s.Hold(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", want.Bound[0].Outer()); err == nil {
		if got, err := say(c, "x"); err == nil {
			t.Errorf("got %q from an address where nobody listens", got)
		}
		_ = c.Close()
	}
	pid := s.pid("a")
	want.Target = target
	if err := s.Hold(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	check(t, dial(t, want.Bound[0]))
	if got := s.pid("a"); got != pid {
		t.Errorf("the holder is process %d, want still %d", got, pid)
	}
}

func TestEndFreesPortsAtOnce(t *testing.T) {
	s := open(t, t.TempDir())
	port := serveTCP(t, echo)
	bound := s.hold("a", port)
	c := dial(t, bound[0])
	check(t, c)
	pid := s.pid("a")
	if err := s.End(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	port.HostPort = bound[0].HostPort
	s.hold("b", port)
	check(t, c) // it may come to its end
	_ = c.Close()
	gone(t, pid)
}

func TestReserve(t *testing.T) {
	s := open(t, t.TempDir())
	free := publish.Port{HostIP: local, ContainerPort: 80}
	bound, err := s.Reserve(t.Context(), "a", []publish.Port{free, free})
	if err != nil || len(bound) != 2 || bound[0].Open() || bound[0].HostPort == bound[1].HostPort {
		t.Fatalf("got %v, %v", bound, err)
	}
	taken := publish.Port{HostIP: local, HostPort: bound[1].HostPort, ContainerPort: 80}
	refused := func(who string, p publish.Port) {
		t.Helper()
		want := fmt.Sprintf("port %s of the machine cannot be published: it is in use by %s; choose another port, or end what uses it", p, who)
		if got, err := s.Reserve(t.Context(), "b", []publish.Port{p}); err == nil || err.Error() != want {
			t.Errorf("got %v, %v\nwant %s", got, err, want)
		}
	}
	refused("container named a", taken)
	if _, err := s.Reserve(t.Context(), "b", []publish.Port{{HostIP: local, HostPort: taken.HostPort, HostLast: taken.HostPort, ContainerPort: 80}}); err == nil || !strings.Contains(err.Error(), "none of them is free") {
		t.Errorf("got %v", err)
	}
	if err := s.End(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	held := s.hold("a", serveTCP(t, echo))
	refused("container named a", publish.Port{HostIP: local, HostPort: held[0].HostPort, ContainerPort: 80})

	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stat, err := linux.StatOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	taken.HostPort = uint16(l.Addr().(*net.TCPAddr).Port)
	refused(fmt.Sprintf("%q (pid %d)", stat.Name, os.Getpid()), taken)
	for p, want := range map[publish.Port]string{
		{HostIP: netip.MustParseAddr("192.0.2.1"), HostPort: 8, ContainerPort: 80}: "the machine does not have this address",
		{ContainerPort: 0}: "the container's port is 0",
	} {
		if got, err := s.Reserve(t.Context(), "b", []publish.Port{p}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %s", got, err, want)
		}
	}
}

// TestBoundPortsStay shows that a port that was left open is the same for the next start, as
// long as it is free.
func TestBoundPortsStay(t *testing.T) {
	s := open(t, t.TempDir())
	free := serveTCP(t, echo)
	bound := s.hold("a", free)
	if err := s.End(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	want := ports.Want{ID: "a", Asked: []publish.Port{free}, Bound: bound, Target: target}
	want.Record = func(_ context.Context, got []publish.Port) error { want.Bound = got; return nil }
	if err := s.Hold(t.Context(), want); err != nil || want.Bound[0] != bound[0] {
		t.Fatalf("got %v, %v, want %v again", want.Bound, err, bound)
	}
	if err := s.End(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", bound[0].Outer())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := s.Hold(t.Context(), want); err != nil || want.Bound[0] == bound[0] {
		t.Fatalf("got %v, %v, want another than the taken %v", want.Bound, err, bound)
	}
	check(t, dial(t, want.Bound[0]))
}
