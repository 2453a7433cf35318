package containers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/volumes"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// logs returns the output of a container, and the attempts that it came from.
func logs(t *testing.T, m *Manager, id string, opts api.LogOptions) (string, []int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	var begun []int
	opts.Begun = func(c api.Cursor) error { begun = append(begun, c.Attempt); return nil }
	err := m.Logs(ctx, id, opts, func(_ api.Stream, data []byte) error { out.Write(data); return nil })
	return out.String(), begun, err
}

// TestLogsOfAttempts: the output of all attempts comes in their order, to follow goes on
// until the policy gives up, and each attempt can be asked for.
func TestLogsOfAttempts(t *testing.T) {
	m := openManager(t, nil)
	opts := program(t, "print stdout a", "print stdout b", "print stdout c", "exit 1")
	opts.Restart = "on-failure:2"
	c := mustCreate(t, m, opts)
	const one = "a\nb\nc\n"
	got, begun, err := logs(t, m, c.ID, api.LogOptions{Follow: true})
	if err != nil || got != one+one+one || !slices.Equal(begun, []int{1, 2, 3}) {
		t.Fatalf("followed: got %q from %v, %v", got, begun, err)
	}
	for name, tt := range map[string]struct {
		opts  api.LogOptions
		want  string
		begun []int
		err   error
	}{
		"all":                {api.LogOptions{}, one + one + one, []int{1, 2, 3}, nil},
		"one":                {api.LogOptions{Attempt: 2}, one, []int{2}, nil},
		"previous":           {api.LogOptions{Attempt: -1}, one, []int{2}, nil},
		"before the first":   {api.LogOptions{Attempt: -3}, "", nil, executor.NotFound},
		"to come":            {api.LogOptions{Attempt: 4}, "", nil, executor.NotFound},
		"tail of the last":   {api.LogOptions{Tail: new(2)}, "b\nc\n", []int{3}, nil},
		"tail of exactly it": {api.LogOptions{Tail: new(3)}, one, []int{3}, nil},
		"tail of two":        {api.LogOptions{Tail: new(4)}, "c\n" + one, []int{2, 3}, nil},
		"tail of more":       {api.LogOptions{Tail: new(100)}, one + one + one, []int{1, 2, 3}, nil},
		"tail of none":       {api.LogOptions{Tail: new(0)}, "", []int{3}, nil},
		"from a cursor":      {api.LogOptions{From: api.Cursor{Attempt: 2, Stdout: 4}}, "c\n" + one, []int{2, 3}, nil},
		"since later":        {api.LogOptions{Since: time.Now().Add(time.Hour)}, "", []int{1, 2, 3}, nil},
		"followed to a time": {api.LogOptions{Follow: true, Until: time.Now()}, one + one + one, []int{1, 2, 3}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, begun, err := logs(t, m, c.ID, tt.opts)
			if got != tt.want || !slices.Equal(begun, tt.begun) || !errors.Is(err, tt.err) {
				t.Errorf("got %q from %v, %v", got, begun, err)
			}
		})
	}
	if err := m.outputs.RemoveProcess(executor.Ref{ID: c.ID, Attempt: 1}); err != nil {
		t.Fatal(err)
	}
	if got, begun, err := logs(t, m, c.ID, api.LogOptions{Tail: new(8)}); err != nil || got != one+one || !slices.Equal(begun, []int{2, 3}) {
		t.Errorf("without the first: got %q from %v, %v", got, begun, err)
	}
	if _, _, err := logs(t, m, c.ID, api.LogOptions{Attempt: 1}); !errors.Is(err, executor.NotFound) || !strings.Contains(err.Error(), "attempt 1") {
		t.Errorf("the first: got %v", err)
	}
}

// TestLogsOfAnAttemptToCome waits for it, for as long as there may be one.
func TestLogsOfAnAttemptToCome(t *testing.T) {
	m := openManager(t, nil)
	opts := program(t, "print stdout x", "sleep 60")
	opts.Restart = "always"
	c := mustCreate(t, m, opts)
	result := make(chan string, 1)
	go func() {
		got, begun, err := logs(t, m, c.ID, api.LogOptions{Attempt: 2, Follow: true})
		result <- fmt.Sprintf("%q %v %v", got, begun, err)
	}()
	kill := func(attempt int) {
		t.Helper()
		wait.Until(t, "it runs", func() bool {
			now, err := m.Inspect(c.ID)
			got, _, lerr := logs(t, m, c.ID, api.LogOptions{Attempt: attempt, Follow: false})
			return err == nil && now.Attempt == attempt && now.State == api.StateRunning && lerr == nil && got == "x\n"
		})
		if err := m.Kill(t.Context(), c.ID, 9); err != nil {
			t.Fatal(err)
		}
	}
	kill(1)
	kill(2)
	if got := <-result; got != `"x\n" [2] <nil>` {
		t.Errorf("got %s", got)
	}
	go func() {
		_, _, err := logs(t, m, c.ID, api.LogOptions{Attempt: 1000, Follow: true})
		result <- fmt.Sprint(executor.CodeOf(err))
	}()
	if err := m.Remove(t.Context(), c.ID, true); err != nil {
		t.Fatal(err)
	}
	if got := <-result; got != fmt.Sprint(executor.NotFound) {
		t.Errorf("after the removal: got %s", got)
	}
}

// TestLogsBeforeThereAreFiles: a container that is being made has no output yet, which is
// no error.
func TestLogsBeforeThereAreFiles(t *testing.T) {
	m := openManager(t, nil)
	record, spec, session, err := m.prepare(t.Context(), newID(), program(t, "print stdout x", "exit 0"))
	if err == nil {
		record, _, err = m.recordIntent(t.Context(), record, spec, new(volumes.Use))
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := logs(t, m, record.ID, api.LogOptions{}); got != "" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	result := make(chan string, 1)
	go func() {
		got, begun, err := logs(t, m, record.ID, api.LogOptions{Follow: true})
		result <- fmt.Sprintf("%q %v %v", got, begun, err)
	}()
	if err := m.startFirst(t.Context(), session, record, spec); err != nil {
		t.Fatal(err)
	}
	if got := <-result; got != `"x\n" [1] <nil>` {
		t.Errorf("followed: got %s", got)
	}
}
