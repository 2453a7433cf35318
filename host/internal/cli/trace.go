package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/otlp"
	"github.com/davit-run/davit/shared/trace"
	"github.com/spf13/cobra"
)

// sendTime is how long a command waits for a collector when all else is done.
const sendTime = 2 * time.Second

// traced returns a context with a trace of a command, if the environment asks for one, and a
// function that ends it: TRACEPARENT is what the trace continues, and the variables of
// OpenTelemetry say where it is sent.
func (a *App) traced(ctx context.Context, cmd *cobra.Command) (_ context.Context, end func(code int, err error)) {
	none := func(int, error) {}
	parent, _ := a.Env("TRACEPARENT")
	if !cmd.HasParent() || strings.HasPrefix(cmd.Name(), cobra.ShellCompRequestCmd) || slices.Contains([]string{"serve", "help"}, cmd.Name()) {
		return ctx, none
	}
	target, err := otlp.FromEnvironment(a.Env)
	if err != nil {
		a.complain(fmt.Errorf("nothing is traced: %w", err))
	}
	if target == nil || trace.Declined(parent) {
		return api.WithTraceparent(ctx, parent), none
	}
	var mu sync.Mutex
	var spans []trace.Span
	add := func(s trace.Span) {
		mu.Lock()
		defer mu.Unlock()
		spans = append(spans, s)
	}
	ctx, span := trace.StartCall(trace.Begin(ctx, parent, target.Service("davit"), add), cmd.CommandPath(), "")
	return ctx, func(code int, err error) {
		span.Set("process.exit.code", strconv.Itoa(code))
		span.End(err)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
		defer cancel()
		mu.Lock()
		defer mu.Unlock()
		if err := target.Send(ctx, spans); err != nil {
			a.complain(fmt.Errorf("the trace was not sent: %w", err))
		}
	}
}
