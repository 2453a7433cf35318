package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/pflag"
)

// streamFlags are the flags of commands that attach to a process.
type streamFlags struct {
	stdin, terminal bool
	keys            string
	parsedKeys      []byte
}

// inputFlags registers -i and -t.
func (f *streamFlags) inputFlags(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.stdin, "interactive", "i", false, "pass this program's stdin on; without it the input is empty")
	fs.BoolVarP(&f.terminal, "tty", "t", false, "give the command a terminal")
}

// keysFlag registers --detach-keys.
func (f *streamFlags) keysFlag(fs *pflag.FlagSet, env func(string) (string, bool)) {
	f.keys = defaultDetachKeys
	if keys, ok := env("DAVIT_DETACH_KEYS"); ok {
		f.keys = keys
	}
	fs.StringVar(&f.keys, "detach-keys", f.keys, "`KEYS` at a terminal that leave it running; empty is none (environment: DAVIT_DETACH_KEYS)")
}

// check parses the keys, and refuses a terminal for an input that is none.
func (f *streamFlags) check(a *App) (err error) {
	if f.parsedKeys, err = parseKeys(f.keys); err != nil {
		return fmt.Errorf("--detach-keys: %w", err)
	}
	if _, ok := terminalOf(a.Stdin); f.terminal && f.stdin && !ok {
		return errors.New("-t needs a terminal, and stdin is none; leave -t out to pass a file or pipe on")
	}
	return nil
}

// foreground is a process in whose place davit stands at the command line.
type foreground struct {
	app      *App
	flags    streamFlags
	redraw   bool // its screen is there already
	signals  bool // are passed on
	output   api.Sink
	terminal terminal
	wishes   chan api.Control
	started  func(api.StreamsBegun)
	memory   int64 // limit in bytes, 0 if it is not known
}

// newForeground returns the foreground for a command with flags.
func (a *App) newForeground(flags streamFlags) *foreground {
	f := &foreground{app: a, flags: flags, signals: true, output: a.output, wishes: make(chan api.Control, 64)}
	if flags.terminal {
		for _, file := range []any{a.Stdin, a.Stdout} {
			if t, ok := terminalOf(file); ok {
				f.terminal = t
				break
			}
		}
	}
	return f
}

// run attaches this process's streams by call, and returns what that returns.
func (f *foreground) run(ctx context.Context, call func(context.Context, api.Streams) (*api.End, error)) (*api.End, error) {
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	signal.Ignore(syscall.SIGPIPE) // if the reader goes away, the write returns an error
	var wg sync.WaitGroup
	defer wg.Wait()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	begun := make(chan string, 1)
	f.watchSignals(watching, &wg, begun, func() { leave(errLeft) })
	f.watchSize(watching, &wg)
	defer f.app.raw.Store(false)
	defer f.terminal.restore()

	to := api.Streams{
		Output: f.output, Dropped: f.app.dropped,
		Begun: func(b api.StreamsBegun) error {
			if f.started != nil {
				f.started(b)
			}
			begun <- ""
			if size := f.terminal.size(); size != nil && f.redraw {
				f.wish(api.Control{Redraw: size})
			} else if size != nil {
				f.wish(api.Control{Resize: size})
			}
			if !f.flags.stdin || !f.flags.terminal {
				return nil
			}
			f.app.raw.Store(true)
			return f.terminal.raw()
		},
		Control: func(ctx context.Context) (api.Control, error) {
			select {
			case c := <-f.wishes:
				return c, nil
			case <-ctx.Done():
				return api.Control{}, ctx.Err()
			}
		},
	}
	if f.flags.stdin && f.app.Stdin != nil {
		to.Input = f.input(api.InputFrom(f.app.Stdin))
	}
	end, err := call(ctx, to)
	if err != nil && errors.Is(context.Cause(ctx), errLeft) {
		err = errLeft
	}
	return end, err
}

// input returns the input of the process.
func (f *foreground) input(next func(context.Context) ([]byte, error)) func(context.Context) ([]byte, error) {
	if !f.flags.terminal {
		return next
	}
	next = watchKeys(f.flags.parsedKeys, next)
	return func(ctx context.Context) ([]byte, error) {
		data, err := next(ctx)
		if errors.Is(err, errDetachKeys) {
			f.wish(api.Control{Detach: true})
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return data, err
	}
}

// wish asks for something to be done to the process. Of too many the last are dropped, as
// the kernel does with signals.
func (f *foreground) wish(c api.Control) {
	select {
	case f.wishes <- c:
	default:
	}
}

// watchSignals passes signals on, once the process has begun. At a terminal of its own the
// process does not notice when that of davit hangs up: then davit leaves.
func (f *foreground) watchSignals(ctx context.Context, wg *sync.WaitGroup, begun <-chan string, leave func()) {
	if !f.signals {
		return
	}
	list := slices.Clone(forwarded)
	if f.flags.terminal {
		list = slices.DeleteFunc(list, func(sig os.Signal) bool { return sig == syscall.SIGWINCH || sig == syscall.SIGHUP })
		hangup := make(chan os.Signal, 1)
		signal.Notify(hangup, syscall.SIGHUP)
		wg.Go(func() {
			defer signal.Stop(hangup)
			select {
			case <-hangup:
				leave()
			case <-ctx.Done():
			}
		})
	}
	signals := make(chan os.Signal, 32)
	signal.Notify(signals, list...)
	wg.Go(func() {
		defer signal.Stop(signals)
		send := func(_ string, sig executor.Signal) bool {
			f.wish(api.Control{Signal: sig})
			return !f.app.away.Load()
		}
		forward(ctx, signals, begun, send, f.app.away.Load, leave)
	})
}

// watchSize passes changes of the terminal's size on.
func (f *foreground) watchSize(ctx context.Context, wg *sync.WaitGroup) {
	if f.terminal.in == nil {
		return
	}
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, syscall.SIGWINCH)
	wg.Go(func() {
		defer signal.Stop(changes)
		for {
			select {
			case <-changes:
				if size := f.terminal.size(); size != nil {
					f.wish(api.Control{Resize: size})
				}
			case <-ctx.Done():
				return
			}
		}
	})
}

// ended returns the error for the end of a process in the foreground: its exit code, if that
// is not 0. memory is the limit that it had, in bytes, 0 if it is not known.
func (a *App) ended(what string, end *api.End, memory int64) error {
	if end.Output == executor.Truncated {
		a.complain(fmt.Errorf("the output of %s may be incomplete", what))
	}
	a.explain(end, memory)
	code, known := end.ExitCode()
	if !known {
		return &ExitError{Code: exitRunFailed, Err: fmt.Errorf("%s was lost, so its exit code is not known: %s", what, end.Reason)}
	}
	if code != 0 {
		return &ExitError{Code: code}
	}
	return nil
}
