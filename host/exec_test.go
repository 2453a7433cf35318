package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// further is an exec of the memory executor.
func further(id string, steps ...string) api.ExecOptions {
	return api.ExecOptions{ID: id, Args: strings.Fields(strings.Join(steps, " ; "))}
}

func mustExec(t *testing.T, h *Host, c string, opts api.ExecOptions) api.Exec {
	t.Helper()
	e, err := h.Exec(t.Context(), c, opts)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestExecDetached starts execs without a client, and reads what they leave.
func TestExecDetached(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	c := mustCreate(t, h, program(t, "sleep 1000"))
	e := mustExec(t, h, c.ID, further("first", "print stdout out", "print stderr err", "exit 7"))
	if e.ID != "first" || e.Container != c.ID || e.Attempt != 1 {
		t.Errorf("got %+v", e)
	}
	end, err := h.WaitExec(t.Context(), c.ID, "fir")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, end, 7)
	var out [3]bytes.Buffer
	err = h.ExecLogs(t.Context(), c.ID, "first", api.LogOptions{Follow: true}, func(s api.Stream, data []byte) error {
		out[s].Write(data)
		return nil
	})
	if err != nil || out[api.Stdout].String() != "out\n" || out[api.Stderr].String() != "err\n" {
		t.Errorf("got %q and %q, %v", out[api.Stdout].String(), out[api.Stderr].String(), err)
	}
	if again := mustExec(t, h, c.ID, further("first", "print stdout out", "print stderr err", "exit 7")); again.State != api.StateExited {
		t.Errorf("the same request again: got %+v", again)
	}
	for opts, want := range map[*api.ExecOptions]executor.Code{
		new(further("first", "exit 0")):         executor.AlreadyExists,
		new(further("second", "nonsense")):      executor.CommandNotFound,
		new(further("Second", "exit 0")):        executor.Invalid,
		new(further("second")):                  executor.Invalid,
		{Args: []string{"exit", "0"}, Cwd: "x"}: executor.Invalid,
	} {
		if _, err := h.Exec(t.Context(), c.ID, *opts); !errors.Is(err, want) {
			t.Errorf("%+v: got %v, want %s", opts, err, want)
		}
	}
	if all, err := h.Execs(c.ID); err != nil || len(all) != 1 {
		t.Errorf("what could not be started has left %+v, %v", all, err)
	}
	running := mustExec(t, h, c.ID, further("", "sleep 1000"))
	if err := h.KillExec(t.Context(), c.ID, running.ID, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if end, err = h.WaitExec(t.Context(), c.ID, running.ID); err != nil || end.Signal != syscall.SIGTERM {
		t.Errorf("got %+v, %v", end, err)
	}
	if err := h.KillExec(t.Context(), c.ID, running.ID, syscall.SIGTERM); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("kill after the end: %v", err)
	}
	var types []string
	for event, err := range h.Events(t.Context(), 0) {
		if err != nil {
			break
		}
		if strings.HasPrefix(event.Type, "exec.") {
			types = append(types, event.Type)
		}
		if len(types) == 5 {
			break
		}
	}
	if want := []string{api.EventExecStarted, api.EventExecExited, api.EventExecFailed, api.EventExecStarted, api.EventExecExited}; !slices.Equal(types, want) {
		t.Errorf("got events %q, want %q", types, want)
	}
}

// TestExecsAreBounded runs many execs, of which the last are kept, and nothing else.
func TestExecsAreBounded(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	c := mustCreate(t, h, program(t, "sleep 1000"))
	last := ""
	for range 30 {
		last = mustExec(t, h, c.ID, further("", "exit 0")).ID
		if _, err := h.WaitExec(t.Context(), c.ID, last); err != nil {
			t.Fatal(err)
		}
	}
	all, err := h.Execs(c.ID)
	if err != nil || len(all) > 21 || all[len(all)-1].ID != last {
		t.Errorf("got %d execs, %v", len(all), err)
	}
}

// TestExecOfWhatDoesNotRun asks for execs that there cannot be.
func TestExecOfWhatDoesNotRun(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	opts := program(t, "exit 0")
	ended := mustCreate(t, h, opts)
	mustWait(t, h, ended.ID)
	opts.NoStart = true
	created := mustCreate(t, h, opts)
	paused := mustCreate(t, h, program(t, "sleep 1000"))
	if err := h.Pause(t.Context(), paused.ID); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]executor.Code{
		ended.ID: executor.FailedPrecondition, created.ID: executor.FailedPrecondition, paused.ID: executor.FailedPrecondition, "nobody": executor.NotFound,
	} {
		if _, err := h.Exec(t.Context(), ref, further("", "exit 0")); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %s", ref, err, want)
		}
	}
}

// TestExecEndsWithItsContainer waits for an exec whose container is killed, and for one whose
// container is removed.
func TestExecEndsWithItsContainer(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	for name, end := range map[string]func(string) error{
		"kill":   func(id string) error { return h.Kill(t.Context(), id, syscall.SIGKILL) },
		"remove": func(id string) error { return h.Remove(t.Context(), id, true) },
	} {
		c := mustCreate(t, h, program(t, "sleep 1000"))
		e := mustExec(t, h, c.ID, further("", "sleep 1000"))
		var wg sync.WaitGroup
		wg.Go(func() {
			if end, err := h.WaitExec(t.Context(), c.ID, e.ID); err == nil && (end.Code == nil || *end.Code == 0) && end.Source != executor.Lost || err != nil && !errors.Is(err, executor.NotFound) {
				t.Errorf("%s: got %+v, %v", name, end, err)
			}
		})
		if err := end(c.ID); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
}

// talk is a client in the middle of an exec or of a container.
type talk struct {
	mu   sync.Mutex
	got  bytes.Buffer
	in   chan []byte
	ctrl chan api.Control
}

func newTalk() *talk { return &talk{in: make(chan []byte, 100), ctrl: make(chan api.Control, 10)} }

func (k *talk) streams() api.Streams {
	return api.Streams{
		Output: func(_ api.Stream, data []byte) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.got.Write(data)
			return nil
		},
		Input: func(ctx context.Context) ([]byte, error) {
			select {
			case data, ok := <-k.in:
				if !ok {
					return nil, io.EOF
				}
				return data, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		Control: func(ctx context.Context) (api.Control, error) {
			select {
			case c := <-k.ctrl:
				return c, nil
			case <-ctx.Done():
				return api.Control{}, ctx.Err()
			}
		},
	}
}

func (k *talk) text() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.got.String()
}

func (k *talk) await(t *testing.T, text string) {
	t.Helper()
	if !wait.Holds(func() bool { return strings.Contains(k.text(), text) }) {
		t.Fatalf("%q did not come; got %q", text, k.text())
	}
}

// TestExecAttached passes some MiB through an exec.
func TestExecAttached(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	c := mustCreate(t, h, program(t, "sleep 1000"))
	sent := bytes.Repeat([]byte("0123456789abcdef"), 2<<16)
	opts := further("", "copy stdout", "exit 3")
	opts.Stdin = true
	var got bytes.Buffer
	end, err := h.ExecAttached(t.Context(), c.ID, opts, api.Streams{
		Input:  api.InputFrom(bytes.NewReader(sent)),
		Output: func(_ api.Stream, data []byte) error { got.Write(data); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, end, 3)
	if !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("got %d bytes of %d", got.Len(), len(sent))
	}
	// Without an input, that is empty.
	if end, err = h.ExecAttached(t.Context(), c.ID, further("", "copy stdout", "exit 4"), newTalk().streams()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, end, 4)
	if _, err := h.ExecAttached(t.Context(), c.ID, further("", "nonsense"), api.Streams{}); !errors.Is(err, executor.CommandNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestExecOverHosts closes the host in the middle of an exec. The client goes on with the
// next one.
func TestExecOverHosts(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	c := mustCreate(t, h, program(t, "sleep 1000"))
	opts := further("one", "copy stdout", "exit 5")
	opts.Stdin = true
	k := newTalk()
	var wg sync.WaitGroup
	wg.Go(func() {
		if end, err := h.ExecAttached(t.Context(), c.ID, opts, k.streams()); err == nil {
			t.Errorf("it ended with %+v", end)
		}
	})
	k.in <- []byte("before\n")
	k.await(t, "before\n")
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	h = openHost(t, cfg)
	defer stopHost(t, h)
	k.in <- []byte("after\n")
	to := k.streams()
	to.From.Stdout = int64(len(k.text()))
	to.Begun = func(b api.StreamsBegun) error {
		if b.Cursor.Stdout != 7 || b.Input != 7 || b.InputClosed {
			t.Errorf("it goes on at %+v", b)
		}
		return nil
	}
	close(k.in)
	end, err := h.ExecAttached(t.Context(), c.ID, opts, to)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, end, 5)
	if got := k.text(); got != "before\nafter\n" {
		t.Errorf("got %q", got)
	}
}

// TestClientOfExecGoes takes an exec's client away: the exec ends. With Keep it goes on, and
// so it does when the client detaches.
func TestClientOfExecGoes(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	c := mustCreate(t, h, program(t, "sleep 1000"))
	leave := func(opts api.ExecOptions, k *talk) (err error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		to := k.streams()
		to.Begun = func(api.StreamsBegun) error { cancel(); return nil }
		_, err = h.ExecAttached(ctx, c.ID, opts, to)
		return err
	}
	if err := leave(further("gone", "sleep 1000"), newTalk()); err == nil {
		t.Error("no error for a client that went")
	}
	if end, err := h.WaitExec(t.Context(), c.ID, "gone"); err != nil || end.Signal != syscall.SIGHUP {
		t.Errorf("got %+v, %v; want the end by a hangup", end, err)
	}
	kept := further("kept", "sleep 1000")
	kept.Keep = true
	if err := leave(kept, newTalk()); err == nil {
		t.Error("no error for a client that went")
	}
	k := newTalk()
	k.ctrl <- api.Control{Detach: true}
	detached := further("detached", "sleep 1000")
	detached.Terminal = true
	if _, err := h.ExecAttached(t.Context(), c.ID, detached, k.streams()); !errors.Is(err, api.ErrDetached) {
		t.Errorf("got %v, want detached", err)
	}
	for _, id := range []string{"kept", "detached"} {
		if e, err := h.InspectExec(c.ID, id); err != nil || e.State != api.StateRunning {
			t.Errorf("%s: got %+v, %v", id, e, err)
		}
		if err := h.KillExec(t.Context(), c.ID, id, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
}

// TestRunStreams gives a container an input, over a host and a second client, and ends it.
func TestRunStreams(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	opts := program(t, "copy stdout", "exit 6")
	opts.Stdin = true
	k := newTalk()
	ids := make(chan string, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		to := k.streams()
		to.Begun = func(b api.StreamsBegun) error { ids <- b.Container.ID; return nil }
		if end, err := h.RunStreams(t.Context(), opts, "me", to); err == nil {
			t.Errorf("it ended with %+v", end)
		}
	})
	id := <-ids
	k.in <- []byte("one\n")
	k.await(t, "one\n")
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	h = openHost(t, cfg)
	defer stopHost(t, h)
	other := newTalk()
	begun := make(chan bool)
	wg.Go(func() {
		to := other.streams()
		to.Begun = func(api.StreamsBegun) error { close(begun); return nil }
		if end, err := h.AttachStreams(t.Context(), id, api.AttachOptions{Now: true}, to); err != nil || *end.Code != 6 {
			t.Errorf("the other client got %+v, %v", end, err)
		}
	})
	<-begun
	other.in <- []byte("two\n")
	other.await(t, "two\n")
	to := k.streams()
	to.From.Stdout = int64(len(k.text()))
	close(k.in)
	end, err := h.AttachStreams(t.Context(), id, api.AttachOptions{Attempt: 1, Client: "me"}, to)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, end, 6)
	wg.Wait()
	if k.text() != "one\ntwo\n" || other.text() != "two\n" {
		t.Errorf("the clients got %q and %q", k.text(), other.text())
	}
	if _, err := h.AttachStreams(t.Context(), id, api.AttachOptions{}, newTalk().streams()); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("attach to what has ended: %v", err)
	}
	// Started once more, it has a new input.
	next := newTalk()
	next.in <- []byte("three\n")
	close(next.in)
	if end, err = h.AttachStreams(t.Context(), id, api.AttachOptions{Start: true}, next.streams()); err != nil || *end.Code != 6 || next.text() != "three\n" {
		t.Errorf("started once more: got %q, %+v, %v", next.text(), end, err)
	}
}

// TestAttachBeforeStart attaches to a container that is not started yet. What was sent before
// is not lost, and neither is its end.
func TestAttachBeforeStart(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	opts := program(t, "copy stdout", "exit 6")
	opts.Stdin, opts.NoStart = true, true
	c := mustCreate(t, h, opts)
	k := newTalk()
	k.in <- []byte("early\n")
	close(k.in)
	var wg sync.WaitGroup
	wg.Go(func() {
		if end, err := h.AttachStreams(t.Context(), c.ID, api.AttachOptions{}, k.streams()); err != nil || *end.Code != 6 || k.text() != "early\n" {
			t.Errorf("got %q, %+v, %v", k.text(), end, err)
		}
	})
	if _, err := h.Start(t.Context(), c.ID); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
