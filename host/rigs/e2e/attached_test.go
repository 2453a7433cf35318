package e2e

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/realtest"
)

// A line without an end passes through a command and through the log of a container whole,
// and costs the host no memory of its length.
func TestLongLines(t *testing.T) {
	s := execSite(t)
	size := 32 << 20
	if realtest.Matrix() {
		size = 1 << 30
	}
	endless := fmt.Sprintf("head -c %d /dev/zero", size)
	id := s.must("run", "-d", "--rootfs", rootfs, "sh", "-c", endless+"; echo end; exec sleep 1000")
	whole := func(what string, cmd ...string) {
		t.Helper()
		c := s.command(cmd...)
		counts := &counted{w: &tail{}}
		c.Stdout = counts
		if err := c.Run(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if n, end := counts.bytes(), counts.w.(*tail).String(); n != int64(size)+4 || !strings.HasSuffix(end, "\x00end\n") {
			t.Errorf("%s: got %d bytes of %d, which end with %q", what, n, size+4, end)
		}
	}
	whole("exec", "exec", id, "sh", "-c", endless+"; echo end")
	s.waitFor("all of it is in the log", func() bool {
		var c []api.Container
		s.decode(&c, "inspect", id)
		return c[0].Output["stdout"].Written == int64(size)+4
	})
	if size < 64<<20 { // of more the log keeps the end
		whole("logs", "logs", id)
	}
}

// tail keeps the last bytes of what is written to it.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	n, _ := t.Buffer.Write(p[max(0, len(p)-16):])
	if t.Len() > 1<<10 {
		t.Next(t.Len() - 16)
	}
	return len(p) + 0*n, nil
}

// Many clients are attached to one container. One that does not read holds up nobody, and all
// others see all of its output and its end.
func TestManyClients(t *testing.T) {
	s := execSite(t)
	clients := 200
	if realtest.Matrix() {
		clients = 1000
	}
	id := s.must("run", "-d", "-i", "--rootfs", rootfs, "sh", "-c", "read x; seq 1 20000; exit 7")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begun := make(chan struct{}, clients+1)
	begin := func(api.StreamsBegun) error { begun <- struct{}{}; return nil }
	newClient := func() *api.Client {
		c := api.NewClient(filepath.Join(s.dir, "run/davit.sock"))
		t.Cleanup(c.Close)
		return c
	}
	// One that never takes its output.
	lazy, wake := context.WithCancel(ctx)
	var sleeping sync.WaitGroup
	sleeping.Go(func() {
		_, _ = newClient().AttachStreams(lazy, id, api.AttachOptions{}, api.Streams{Begun: begin, Output: func(api.Stream, []byte) error {
			<-lazy.Done()
			return lazy.Err()
		}})
	})
	defer sleeping.Wait()
	defer wake()
	var wg sync.WaitGroup
	for range clients {
		client := newClient()
		wg.Go(func() {
			lines := 0
			end, err := client.AttachStreams(ctx, id, api.AttachOptions{}, api.Streams{Begun: begin, Output: func(_ api.Stream, data []byte) error {
				lines += bytes.Count(data, []byte("\n"))
				return nil
			}})
			if err != nil || end.Code == nil || *end.Code != 7 || lines != 20000 {
				t.Errorf("got %d lines, %+v, %v", lines, end, err)
			}
		})
	}
	for range clients + 1 {
		select {
		case <-begun:
		case <-ctx.Done():
			t.Fatal("not all clients were attached")
		}
	}
	if got := s.must("exec", id, "echo", "another"); got != "another" {
		t.Errorf("meanwhile exec printed %q", got)
	}
	if r := s.withInput(strings.NewReader("go\n"), "attach", id); r.code != 7 {
		t.Errorf("attach: got code %d, %s", r.code, r.stderr)
	}
	wg.Wait()
}
