package host

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// TestAttemptsStayApart reads an attempt that is over while a later one runs.
func TestAttemptsStayApart(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	c := mustCreate(t, h, program(t, "trap 15 3", "print stdout one", "print stdout two", "sleep 60"))
	wait.Until(t, "it is ready", func() bool {
		var out bytes.Buffer
		err := h.Logs(t.Context(), c.ID, api.LogOptions{}, func(_ api.Stream, data []byte) error { out.Write(data); return nil })
		return err == nil && strings.HasSuffix(out.String(), "two\n")
	})
	if err := h.Kill(t.Context(), c.ID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mustWait(t, h, c.ID), 3)
	if _, err := h.Start(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	var begun api.Cursor
	var out bytes.Buffer
	opts := api.LogOptions{From: api.Cursor{Attempt: 1, Stdout: 2}, Begun: func(c api.Cursor) error { begun = c; return nil }}
	end, err := h.Attach(t.Context(), c.ID, opts, func(_ api.Stream, data []byte) error { out.Write(data); return nil })
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, end, 3)
	if out.String() != "e\ntwo\n" || begun != opts.From {
		t.Errorf("got %q from %+v", out.String(), begun)
	}
	for _, attempt := range []int{3, -1} {
		if _, err := h.WaitAttempt(t.Context(), c.ID, attempt); !errors.Is(err, executor.NotFound) {
			t.Errorf("attempt %d: got %v, want not found", attempt, err)
		}
	}
}

// TestRepeatedRequests get what became of the first.
func TestRepeatedRequests(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	for i, tt := range []struct {
		step string
		code int
		err  error
	}{{"exit 5", 5, nil}, {"nonsense", 0, executor.CommandNotFound}} {
		opts := program(t, tt.step)
		opts.RequestID = fmt.Sprint("r", i)
		for range 2 {
			end, err := h.Run(t.Context(), opts, nil, nil)
			if !errors.Is(err, tt.err) {
				t.Errorf("%s: got %v, want %v", tt.step, err, tt.err)
			}
			if err == nil {
				wantCode(t, end, tt.code)
			}
		}
	}
	if all, err := h.List(); err != nil || len(all) != 2 {
		t.Errorf("got %d containers, %v; want one for each request", len(all), err)
	}
}

// TestRunReportsWhatIsMissing takes output slower than the limit allows.
func TestRunReportsWhatIsMissing(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	opts := program(t, "count stdout 1000000")
	opts.OutputMax = config.MinOutput
	const written = 9*2 + 90*3 + 900*4 + 9000*5 + 90000*6 + 900000*7 + 8
	id, got, dropped := "", int64(0), int64(0)
	_, err := h.RunAttached(t.Context(), opts, api.Attachment{
		Started: func(c api.Container) error { id = c.ID; return nil },
		Output: func(_ api.Stream, data []byte) error {
			got += int64(len(data))
			_, err := h.Wait(t.Context(), id)
			return err
		},
		Dropped: func(_ api.Stream, n int64) error { dropped += n; return nil },
	})
	if err != nil || dropped == 0 || got+dropped != written {
		t.Errorf("got %d bytes and %d dropped, %v; want %d together", got, dropped, err, written)
	}
}
