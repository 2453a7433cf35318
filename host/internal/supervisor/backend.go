package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/davit-run/davit/host/internal/cgroup"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

const (
	// openTimeout bounds Open, which may have to start a daemon.
	openTimeout  = 60 * time.Second
	healthMisses = 2
	// endTimeout is how long a process that was asked to end may take.
	endTimeout = 20 * time.Second
	// terminateTimeout is how long an executor has after SIGTERM.
	terminateTimeout = 5 * time.Second
	// After a failure the next try waits, doubling from backoffMin to backoffMax,
	// less a random half. From breakerFailures failures in a row on, callers are
	// refused at once instead of waiting for the next try.
	backoffMin      = 100 * time.Millisecond
	backoffMax      = 30 * time.Second
	breakerFailures = 5
	// steadyAfter is how long an executor must have served until earlier failures
	// are forgotten.
	steadyAfter = 30 * time.Second
)

// Config says what a Backend runs.
type Config struct {
	Name   string
	RunDir string // of this backend alone; made if it is not there
	// Find gives the executor's program, each time one is started.
	Find func() (Binary, error)
	// Programs keeps the copy that is run. Nil means that it is kept in memory.
	Programs *Programs
	// User gives whom the executor runs as, each time one is started or taken up;
	// nil means the host's own user.
	User func() (User, error)
	// Cgroup is where the executor and what it starts live; nil leaves them in the
	// host's own.
	Cgroup   *cgroup.Cgroup
	LogLevel string // of the executor, an hclog level name
	Logger   hclog.Logger
	Hello    transport.Hello
	Host     executor.Host
	// Environment makes the environment for Open, knowing the schemas. It may ask
	// the executor to validate.
	Environment func(context.Context, transport.Client, executor.Description) (executor.Environment, error)
	// Ready is called with every new session before callers get it.
	Ready func(context.Context, *Session) error
	// Changed is called after every change of state, one at a time.
	Changed func(Info)
	// Timing is for tests; zero fields mean the defaults.
	Timing Timing
}

// Timing are the time limits of a Backend.
type Timing struct {
	// Launch bounds the start of a process until it has said hello. Seen: 11 ms; a
	// loaded machine may take seconds. Default 20 s.
	Launch time.Duration
	// A call is made every HealthInterval (5 s). Two in a row without an answer
	// within HealthTimeout (5 s), and the executor is taken for hung.
	HealthInterval, HealthTimeout time.Duration
}

func (t Timing) withDefaults() Timing {
	return Timing{
		Launch:         cmp.Or(t.Launch, 20*time.Second),
		HealthInterval: cmp.Or(t.HealthInterval, 5*time.Second),
		HealthTimeout:  cmp.Or(t.HealthTimeout, 5*time.Second),
	}
}

// Session is a connection to an opened backend. When the connection or the
// process ends the next one gets a new Session.
type Session struct {
	transport.Client
	Description  executor.Description
	Capabilities []executor.Capability
}

// Ended reports whether the connection has ended.
func (s *Session) Ended() bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// State of a backend.
type State string

const (
	Starting State = "starting"
	Ready    State = "ready"
	// Waiting: the executor failed, and the next try comes after a pause.
	Waiting State = "waiting"
	// Failed: it failed too often in a row. Tries go on, callers do not wait.
	Failed  State = "failed"
	Stopped State = "stopped"
)

// Info is what people see of a backend.
type Info struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	PID   int    `json:"pid,omitempty"`
	// Cgroup is that of the executor, in all hierarchies. Empty means the host's
	// own, or that it could not be moved out of that in some hierarchy.
	Cgroup       string                `json:"cgroup,omitempty"`
	Description  executor.Description  `json:"description"`
	Capabilities []executor.Capability `json:"capabilities,omitempty"`
	// Starts and Attaches count the processes that were started and taken up.
	Starts   int `json:"starts"`
	Attaches int `json:"attaches"`
	Failures int `json:"failures"` // in a row
	// LastError is why the executor failed last, at LastErrorAt. It stays when the
	// next one is ready.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	NextTry     time.Time `json:"next_try,omitzero"`
	Since       time.Time `json:"since"` // of State
}

// Backend supervises the executor of one backend. It is safe for concurrent use.
type Backend struct {
	config Config
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	info    Info
	session *Session
	changed chan struct{} // closed at every change
	leaving bool          // Stop: do not start another
	closed  bool          // Stop: the executor was closed in good order
	restart bool          // Restart: the end of this process is no failure
}

// Start begins to supervise. It returns at once; Session waits.
func Start(config Config) *Backend {
	config.Timing = config.Timing.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	b := &Backend{config: config, cancel: cancel, changed: make(chan struct{})}
	b.info = Info{Name: config.Name, State: Starting, Since: time.Now()}
	b.wg.Go(func() { b.run(ctx) })
	return b
}

// Info gives the present state.
func (b *Backend) Info() Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.info
}

// Session gives the present session. It waits, as long as ctx allows, for a
// backend that is starting or about to be tried again. The error is
// [executor.Unavailable] and says what is wrong with the backend.
func (b *Backend) Session(ctx context.Context) (*Session, error) {
	for {
		b.mu.Lock()
		session, info, changed := b.session, b.info, b.changed
		b.mu.Unlock()
		if session != nil {
			return session, nil
		}
		if info.State == Failed || info.State == Stopped {
			return nil, unavailable(info)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, unavailable(info)
		}
	}
}

func unavailable(info Info) error {
	if info.Failures == 0 {
		return executor.Errorf(executor.Unavailable, "backend %s is %s", info.Name, info.State)
	}
	return executor.Errorf(executor.Unavailable, "backend %s is %s: %s", info.Name, info.State, info.LastError)
}

// Close stops supervising. The executor and its workloads run on.
func (b *Backend) Close() {
	b.cancel()
	b.wg.Wait()
}

// Stop ends the executor in good order and stops supervising. Workloads run on.
// One that is starting gets ready first: cut off, it could leave a daemon behind.
func (b *Backend) Stop(ctx context.Context) error {
	session := b.started(ctx)
	var err error
	if session != nil {
		if err = session.CloseBackend(ctx); err == nil {
			b.mu.Lock()
			b.closed = true
			b.mu.Unlock()
			_ = session.Close() // the executor waits for that, and ends
		}
	}
	stopped := make(chan struct{})
	go func() {
		b.wg.Wait()
		close(stopped)
	}()
	if session != nil && err == nil {
		select {
		case <-stopped:
		case <-ctx.Done():
		}
	}
	b.Close()
	<-stopped
	return err
}

// started waits for as long as the executor is starting, and gives the last
// session.
func (b *Backend) started(ctx context.Context) *Session {
	for {
		b.mu.Lock()
		session, starting, changed := b.session, b.info.State == Starting, b.changed
		if !starting || ctx.Err() != nil {
			b.leaving = true
			b.mu.Unlock()
			return session
		}
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Restart ends the executor in good order and starts the program that is
// installed now, under running workloads. It returns when the backend is ready
// again.
func (b *Backend) Restart(ctx context.Context) error {
	b.mu.Lock()
	session := b.session
	b.restart = session != nil
	b.mu.Unlock()
	if session == nil {
		return unavailable(b.Info())
	}
	if err := session.CloseBackend(ctx); err != nil {
		b.takeRestart()
		return err
	}
	_ = session.Close()
	for {
		b.mu.Lock()
		next, info, changed := b.session, b.info, b.changed
		b.mu.Unlock()
		switch {
		case next != nil && next != session:
			return nil
		case info.State == Waiting || info.State == Failed || info.State == Stopped:
			return unavailable(info)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return unavailable(b.Info())
		}
	}
}

// takeRestart reports whether a restart was asked for, once.
func (b *Backend) takeRestart() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := b.restart
	b.restart = false
	return asked
}

// set changes the state and wakes who waits.
func (b *Backend) set(change func(*Info)) {
	b.mu.Lock()
	before := b.info.State
	change(&b.info)
	if b.info.State != before {
		b.info.Since = time.Now()
	}
	if b.info.State != Ready {
		b.session = nil
	}
	close(b.changed)
	b.changed = make(chan struct{})
	info := b.info
	b.mu.Unlock()
	if b.config.Changed != nil {
		b.config.Changed(info)
	}
}

func (b *Backend) isLeaving() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.leaving
}

func (b *Backend) isRestarting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.restart
}

func (b *Backend) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// run keeps an executor running until ctx ends.
func (b *Backend) run(ctx context.Context) {
	defer b.set(func(i *Info) { i.State, i.PID = Stopped, 0 })
	if b.config.Cgroup != nil {
		defer b.config.Cgroup.Remove() // unless something of ours runs on in it
	}
	failures := 0
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
		b.config.Logger.Error("backend is down", "error", err, "failures", failures, "next_try", wait.Round(time.Millisecond).String())
		b.set(func(i *Info) {
			i.State, i.PID, i.Failures, i.NextTry = Waiting, 0, failures, time.Now().Add(wait)
			i.LastError, i.LastErrorAt = err.Error(), time.Now()
			if failures >= breakerFailures {
				i.State = Failed
			}
		})
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// errRestart says that a process ended on our wish and another shall follow.
var errRestart = errors.New("executor is restarted with new settings")

// serve runs one executor process, from launch to its end, and says why it
// ended. When ctx ends the process is let go of, not ended.
func (b *Backend) serve(ctx context.Context) error {
	launchCtx, cancel := context.WithTimeoutCause(ctx, b.config.Timing.Launch, fmt.Errorf("no answer within %s", b.config.Timing.Launch))
	defer cancel()
	l, err := launch(launchCtx, b.config)
	if err != nil {
		return err
	}
	var relay sync.WaitGroup
	stopRelay := make(chan struct{})
	relay.Go(func() { relayLog(b.config.RunDir, l.child == nil, stopRelay, b.config.Logger) })
	defer func() {
		close(stopRelay)
		relay.Wait()
		l.release()
	}()
	_ = failpoint.Hit("host.attach.connected")
	b.set(func(i *Info) {
		i.PID = l.process.PID
		if l.child != nil {
			i.Starts++
		} else {
			i.Attaches++
		}
	})
	b.place(l.process.PID)

	conn, err := transport.Connect(launchCtx, l.conn, func(*transport.Conn) transport.Handlers {
		return transport.HostHandlers(b.config.Host)
	}, b.config.Logger)
	if err != nil {
		return b.give(ctx, l, err)
	}
	defer conn.Close()
	session, err := b.open(ctx, launchCtx, conn)
	if errors.Is(err, errRestart) {
		_ = conn.Close()
		return errors.Join(b.await(ctx, l.process), err)
	}
	if err != nil {
		return b.give(ctx, l, err)
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
	return b.give(ctx, l, b.watch(ctx, l, session))
}

// place puts the executor where it is to live. It has started nothing yet, unless
// it was found running and most likely is there.
func (b *Backend) place(pid int) {
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

// open takes a connection from hello to a session that is ready.
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
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	opened, err := client.Open(ctx, env)
	if errors.Is(err, executor.FailedPrecondition) && hello.Opened != nil {
		// The settings changed since it was opened. Workloads do not notice.
		if err := client.CloseBackend(ctx); err != nil {
			return nil, err
		}
		return nil, errRestart
	}
	if err != nil {
		return nil, err
	}
	if err := failpoint.Hit("host.attach.opened"); err != nil {
		return nil, err
	}
	session := &Session{Client: client, Description: hello.Description, Capabilities: opened.Capabilities}
	if b.config.Ready != nil {
		if err := b.config.Ready(ctx, session); err != nil {
			return nil, err
		}
	}
	return session, nil
}

// watch returns when the process or its connection has ended, or it hangs.
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
				return errors.New("the connection to the executor broke")
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

// give deals with a process that is of no more use, because of err. Unless it is
// just us who leave it to the next host, it ends here.
func (b *Backend) give(ctx context.Context, l *launched, err error) error {
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
