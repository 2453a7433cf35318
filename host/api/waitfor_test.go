package api

import (
	"context"
	"fmt"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// TestWaitFor names the attempt, so that a later host waits for the same one.
func TestWaitFor(t *testing.T) {
	for _, test := range []struct {
		condition WaitCondition
		state     State
		err       error
		want      string
	}{
		{WaitNotRunning, StateRunning, nil, "not-running 1234 0"},
		{WaitNextExit, StateRunning, nil, "next-exit 1234 5"},
		{WaitNextExit, StateExited, nil, "next-exit 1234 6"},
		{WaitNextExit, StateCreated, nil, "next-exit 1234 6"},
		{WaitRemoved, StateExited, nil, "removed 1234 0"},
		{WaitRemoved, StateExited, executor.Errorf(executor.NotFound, "gone"), "removed 1234 0"},
	} {
		asked := ""
		c, _ := serveFake(t, &fake{
			inspect: func(string) (Container, error) { return Container{ID: "1234", Attempt: 5, State: test.state}, nil },
			wait: func(_ context.Context, what string, attempt int) (*End, error) {
				asked = fmt.Sprint(what, " ", attempt)
				return &End{Attempt: 5}, test.err
			},
		})
		end, err := c.WaitFor(t.Context(), "web", test.condition)
		if err != nil || asked != test.want || (end == nil) != (test.err != nil) {
			t.Errorf("%s: got %+v, %v; the host was asked for %q, want %q", test.condition, end, err, asked, test.want)
		}
	}
}
