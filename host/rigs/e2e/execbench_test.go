package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
)

// BenchmarkExecTrue measures `exec CONTAINER true` from the command line to its exit code. The
// contenders alternate in one loop, and each one's median and its ratio to runc's is reported.
func BenchmarkExecTrue(b *testing.B) {
	peers, s := execPeers(b)
	client := api.NewClient(filepath.Join(s.dir, "run/davit.sock"))
	b.Cleanup(client.Close)
	var all []contender
	for _, p := range peers {
		n := 0
		all = append(all, command(p.name, func(string) *exec.Cmd { n++; return p.exec(n, false, "/bin/true") }))
	}
	for _, c := range s.containers() {
		all = append(all, contender{"davit-" + c.Backend + "/api", func(string) error {
			end, err := client.ExecAttached(context.Background(), c.ID, api.ExecOptions{Args: []string{"/bin/true"}}, api.Streams{})
			if err == nil && (end.Code == nil || *end.Code != 0) {
				err = fmt.Errorf("it ended with %s", end.Exit)
			}
			return err
		}})
	}
	took := make([][]time.Duration, len(all))
	for b.Loop() {
		for j, c := range all {
			start := time.Now()
			c.mustRun(b, "")
			took[j] = append(took[j], time.Since(start))
		}
	}
	b.ReportMetric(0, "ns/op")
	runc := median(took[0])
	for j, c := range all {
		b.ReportMetric(ms(median(took[j])), c.name+"-ms")
		b.ReportMetric(ms(median(took[j]))/ms(runc), c.name+"/runc")
	}
}

// throughput is how much BenchmarkExecOutput reads, in bytes.
const throughput = 512 << 20

// BenchmarkExecOutput measures how fast the output of a command comes through, with 512 MiB.
// The contenders alternate, and each one's median in MB/s and its ratio to ctr's is reported.
func BenchmarkExecOutput(b *testing.B) {
	peers, _ := execPeers(b)
	took := make([][]time.Duration, len(peers))
	for i := 0; b.Loop(); i++ {
		for j, p := range peers {
			cmd := p.exec(i, false, "/bin/dd", "if=/dev/zero", "bs=64k", fmt.Sprintf("count=%d", throughput>>16), "status=none")
			out, err := cmd.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{out}, make([]byte, 1<<20))
			if werr := cmd.Wait(); err != nil || werr != nil || n != throughput {
				b.Errorf("%s: got %d bytes, %v, %v", p.name, n, err, werr)
			}
			took[j] = append(took[j], time.Since(start))
		}
	}
	b.ReportMetric(0, "ns/op")
	for j, p := range peers {
		b.ReportMetric(throughput/1e6/median(took[j]).Seconds(), p.name+"-MB/s")
		b.ReportMetric(median(took[1]).Seconds()/median(took[j]).Seconds(), p.name+"/ctr")
	}
}

// keystrokes is how many keys a contender gets in a turn.
const keystrokes = 20

// BenchmarkKeystroke measures the echo of a keystroke: from the key at the client's terminal to
// the same character on it, which cat has written in the container. The contenders take turns,
// and each one's median in µs and its ratio to ctr's is reported.
func BenchmarkKeystroke(b *testing.B) {
	peers, s := execPeers(b)
	const echo = "stty raw -echo; echo ready; exec cat"
	terminals := []struct {
		name string
		*typist
	}{{"local", newTypist(b, exec.Command("sh", "-c", echo))}}
	for _, p := range peers {
		if p.name == "davit-process" {
			continue // it is davit-shim but for the container
		}
		terminals = append(terminals, struct {
			name string
			*typist
		}{p.name, newTypist(b, p.exec(0, true, "/bin/sh", "-c", echo))})
	}
	id := s.must("run", "-d", "-it", "--backend", "shim", "--rootfs", rootfs, "sh", "-c", "read x; "+echo)
	attached := newTypistOf(b, s.command("attach", id))
	attached.press(b, "\r")
	attached.see(b, "ready")
	terminals = append(terminals, struct {
		name string
		*typist
	}{"davit-shim/attach", attached})
	took := make([][]time.Duration, len(terminals))
	for b.Loop() {
		for j, t := range terminals {
			for range keystrokes {
				start := time.Now()
				t.press(b, "x")
				t.see(b, "x")
				took[j] = append(took[j], time.Since(start))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	ctr := 1.0
	for j, t := range terminals {
		if t.name == "ctr" {
			ctr = ms(median(took[j]))
		}
	}
	for j, t := range terminals {
		b.ReportMetric(1000*ms(median(took[j])), t.name+"-µs")
		b.ReportMetric(ms(median(took[j]))/ctr, t.name+"/ctr")
	}
}

// typist is a program at a terminal, read by whoever types.
type typist struct{ master *os.File }

// newTypistOf starts a program at a terminal.
func newTypistOf(b *testing.B, cmd *exec.Cmd) *typist {
	b.Helper()
	master, slave := openPTY(b)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_ = slave.Close()
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = master.Close()
	})
	return &typist{master}
}

// newTypist starts a program that prints "ready".
func newTypist(b *testing.B, cmd *exec.Cmd) *typist {
	b.Helper()
	t := newTypistOf(b, cmd)
	t.see(b, "ready")
	return t
}

func (t *typist) press(b *testing.B, keys string) {
	if _, err := t.master.WriteString(keys); err != nil {
		b.Fatal(err)
	}
}

// see reads until a text has come.
func (t *typist) see(b *testing.B, text string) {
	_ = t.master.SetReadDeadline(time.Now().Add(time.Minute))
	var got []byte
	for buf := make([]byte, 1024); !bytes.Contains(got, []byte(text)); {
		n, err := t.master.Read(buf)
		if err != nil {
			b.Fatalf("%q did not come, but %q: %v", text, got, err)
		}
		got = append(got, buf[:n]...)
	}
}

// TestExecsLeaveNothing runs as many execs as DAVIT_EXECS says, some at once, and looks at what
// shim, executor, host and state directory have grown by.
func TestExecsLeaveNothing(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("DAVIT_EXECS"))
	if n == 0 {
		t.Skip("takes minutes: set DAVIT_EXECS=10000")
	}
	s := execSite(t)
	id := s.sleeper()
	client := api.NewClient(filepath.Join(s.dir, "run/davit.sock"))
	defer client.Close()
	run := func(n int) {
		var wg sync.WaitGroup
		slots := make(chan struct{}, 8)
		for range n {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				out := 0
				end, err := client.ExecAttached(t.Context(), id, api.ExecOptions{Args: []string{"echo", "hello"}}, api.Streams{Output: func(_ api.Stream, data []byte) error {
					out += len(data)
					return nil
				}})
				if err != nil || end.Code == nil || *end.Code != 0 || out != 6 {
					t.Errorf("got %+v, %d bytes, %v", end, out, err)
				}
			})
		}
		wg.Wait()
	}
	c := s.inspect(id)
	who := map[string]int{"shim": parent(t, c.PID), "executor": s.backend("bare").PID, "host": s.serve.Process.Pid}
	look := func() map[string]int {
		all := map[string]int{}
		for name, pid := range who {
			all[name+" KiB"] = pss(t, pid)
			for _, what := range []string{"fd", "task"} {
				entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, what))
				if err != nil {
					t.Fatal(err)
				}
				all[name+" "+what] = len(entries)
			}
		}
		_ = filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return nil //nolint:nilerr // it has gone meanwhile
			}
			all["files"]++
			if info, err := d.Info(); err == nil && filepath.Ext(path) == ".db" {
				all["store KiB"] += int(info.Size() >> 10)
			}
			return nil
		})
		return all
	}
	run(max(200, n/10)) // what is made once, and the journal, which has a bound
	before := look()
	began := time.Now()
	run(n)
	took := time.Since(began)
	s.waitFor("the last one is gone", func() bool { return len(s.must("top", id)) > 0 })
	after := look()
	t.Logf("%d execs in %s, %.0f a second", n, took.Round(time.Second), float64(n)/took.Seconds())
	for what, was := range before {
		t.Logf("%-14s %7d %7d", what, was, after[what])
		slack := 8 // a thread or a connection more or less
		if strings.HasSuffix(what, " KiB") {
			slack = 8 << 10
		}
		if after[what] > was+slack {
			t.Errorf("%s: %d before, and %d after %d execs", what, was, after[what], n)
		}
	}
}
