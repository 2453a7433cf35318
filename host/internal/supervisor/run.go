package supervisor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

const (
	healthMisses = 2
	// endTimeout is how long a process that was asked to end may take.
	endTimeout = 20 * time.Second
	// terminateTimeout is how long an executor may take to end after SIGTERM.
	terminateTimeout = 5 * time.Second
	// The wait after a failure doubles from backoffMin to backoffMax, less a random part
	// of up to a half. From breakerFailures failures in a row on, callers are refused at
	// once instead of waiting for the next try.
	backoffMin      = 100 * time.Millisecond
	backoffMax      = 30 * time.Second
	breakerFailures = 5
	// steadyAfter is how long an executor must serve until earlier failures no longer
	// count.
	steadyAfter = 30 * time.Second
)

// run keeps an executor running until ctx ends.
func (b *Backend) run(ctx context.Context) {
	defer b.set(func(i *Info) { i.State, i.PID = Stopped, 0 })
	if b.config.Cgroup != nil {
		defer b.config.Cgroup.Remove() // fails if the executor runs on in it
	}
	failures, said := 0, ""
	for ctx.Err() == nil && !b.isLeaving() {
		b.set(func(i *Info) { i.State, i.NextTry = Starting, time.Time{} })
		served := time.Now()
		err := b.serve(ctx)
		if ctx.Err() != nil || b.isLeaving() {
			return
		}
		if b.takeRestart() || errors.Is(err, errRestart) {
			continue
		}
		if time.Since(served) > steadyAfter {
			failures = 0
		}
		failures++
		wait := min(backoffMin<<min(failures-1, 16), backoffMax)
		wait -= rand.N(wait / 2)
		level := hclog.Error
		if b.Info().Failures > 0 && err.Error() == said { // it has not served meanwhile
			level = hclog.Debug
		}
		said = err.Error()
		b.config.Logger.Log(level, "backend is down, and is tried again and again", "error", err, "failures", failures, "next_try", wait.Round(time.Millisecond).String())
		b.set(func(i *Info) {
			i.State, i.PID, i.Failures = Waiting, 0, failures
			i.LastError, i.LastErrorAt = err.Error(), time.Now()
			i.NextTry = i.LastErrorAt.Add(wait)
			if failures >= breakerFailures {
				i.State = Failed
			}
		})
		select {
		case <-time.After(wait):
		case <-b.retry:
		case <-ctx.Done():
		}
	}
}

// errRestart means that the host asked a process to end, and starts another.
var errRestart = errors.New("executor is restarted with new settings")

// serve runs one executor process, from launch to its end, and returns why it ended.
// When ctx ends the process runs on.
func (b *Backend) serve(ctx context.Context) error {
	launchCtx, cancel := context.WithTimeoutCause(ctx, b.config.Timing.Launch, fmt.Errorf("no answer within %s", b.config.Timing.Launch))
	defer cancel()
	l, err := launch(launchCtx, b.config)
	if err != nil {
		return err
	}
	defer l.release()
	b.set(func(i *Info) {
		i.PID = l.process.PID
		if l.child != nil {
			i.Starts++
		} else {
			i.Attaches++
		}
	})
	b.moveToCgroup(l.process.PID)

	conn, err := transport.Connect(launchCtx, l.conn, func(*transport.Conn) transport.Handlers {
		return transport.HostHandlers(b.config.Host)
	}, b.config.Logger)
	if err != nil {
		return b.finish(ctx, l, err)
	}
	defer conn.Close()
	session, err := b.open(ctx, launchCtx, conn)
	if errors.Is(err, errRestart) {
		_ = conn.Close()
		return errors.Join(b.await(ctx, l.process), err)
	}
	if err != nil {
		return b.finish(ctx, l, err)
	}
	b.mu.Lock()
	b.session = session
	b.mu.Unlock()
	b.set(func(i *Info) {
		i.State, i.Description, i.Capabilities = Ready, session.Description, session.Capabilities
		i.Failures = 0
	})
	if err := b.config.Programs.sweep(); err != nil {
		b.config.Logger.Warn("copies of programs that are not needed any more cannot be removed", "error", err)
	}
	return b.finish(ctx, l, b.watch(ctx, l, session))
}

// moveToCgroup moves the executor to its cgroup. The executor has started nothing yet. If
// it was found running, it most likely is in that cgroup.
func (b *Backend) moveToCgroup(pid int) {
	if b.config.Cgroup == nil {
		return
	}
	path := b.config.Cgroup.String()
	if err := b.config.Cgroup.Add(pid); err != nil {
		b.config.Logger.Warn("the executor cannot have a cgroup of its own: what ends all of the host's cgroup ends it too", "cgroup", path, "error", err)
		path = ""
	}
	b.set(func(i *Info) { i.Cgroup = path })
}

// open says hello on a connection, opens the backend, and returns a session that is
// ready.
func (b *Backend) open(ctx, helloCtx context.Context, conn *transport.Conn) (*Session, error) {
	client := transport.Client{Conn: conn}
	hello, err := client.Hello(helloCtx, b.config.Hello)
	if err != nil {
		return nil, err
	}
	env, err := b.config.Environment(helloCtx, client, hello.Description)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.config.Timing.Open)
	defer cancel()
	opened, err := transport.MethodOpen.Call(ctx, client, env)
	if errors.Is(err, executor.FailedPrecondition) && hello.Opened != nil {
		// The settings changed since it was opened. Workloads do not notice.
		if err := closeBackend(ctx, client); err != nil {
			return nil, err
		}
		return nil, errRestart
	}
	if err != nil {
		return nil, err
	}
	client.Capabilities = opened.Capabilities
	session := &Session{Client: client, Description: hello.Description}
	if b.config.Ready != nil {
		if err := b.config.Ready(ctx, session); err != nil {
			return nil, err
		}
	}
	return session, nil
}

// watch returns when the process or its connection has ended, or the executor hangs.
func (b *Backend) watch(ctx context.Context, l *launched, session *Session) error {
	ticker := time.NewTicker(b.config.Timing.HealthInterval)
	defer ticker.Stop()
	for misses := 0; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.process.Done():
			return errors.New(l.ending())
		case <-session.Done():
			// A process that died takes its connection along: prefer to say so.
			select {
			case <-l.process.Done():
				return errors.New(l.ending())
			case <-time.After(100 * time.Millisecond):
				return session.ending()
			}
		case <-ticker.C:
			ping, cancel := context.WithTimeout(ctx, b.config.Timing.HealthTimeout)
			_, err := session.Hello(ping, b.config.Hello)
			cancel()
			if err == nil {
				misses = 0
			} else if misses++; misses >= healthMisses && ctx.Err() == nil {
				return fmt.Errorf("the executor hangs: %w", err)
			}
		}
	}
}

// finish ends a process that is of no more use, because of err. If the host is closing,
// the process runs on for the next host.
func (b *Backend) finish(ctx context.Context, l *launched, err error) error {
	switch {
	case b.isClosed():
		return errors.Join(err, b.await(ctx, l.process))
	case b.isRestarting():
		return errors.Join(err, b.await(ctx, l.process))
	case b.isLeaving():
		return errors.Join(err, l.process.Terminate(terminateTimeout))
	case ctx.Err() != nil:
		return err
	}
	return errors.Join(err, l.process.Kill())
}

// await waits for the end of a process that was asked to end.
func (b *Backend) await(ctx context.Context, p *Process) error {
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(endTimeout):
		return p.Kill()
	}
}
