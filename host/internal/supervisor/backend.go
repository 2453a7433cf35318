package supervisor

import (
	"context"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Backend supervises the executor of one backend. It is safe for concurrent use.
type Backend struct {
	config Config
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	info    Info
	session *Session
	changed chan struct{} // closed at every change
	leaving bool          // by Stop: do not start another
	closed  bool          // by Stop: the executor was closed in good order
	restart bool          // by Restart: the end of this process is no failure
	retry   chan struct{} // by Restart: do not wait for the next try
}

// New returns a backend that is not supervised yet.
func New(config Config) *Backend {
	config.Timing = config.Timing.withDefaults()
	b := &Backend{config: config, cancel: func() {}, changed: make(chan struct{}), retry: make(chan struct{}, 1)}
	b.info = Info{Name: config.Name, State: Starting, Since: time.Now()}
	return b
}

// Start begins to supervise. Call it once. It does not wait until the backend is ready;
// Session does.
func (b *Backend) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	b.wg.Go(func() { b.run(ctx) })
}

// Info returns the present state.
func (b *Backend) Info() Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.info
}

// Session returns the present session. It waits, as long as ctx allows, for a backend
// that is starting or about to be tried again. The error is [executor.Unavailable] and
// says what is wrong with the backend.
func (b *Backend) Session(ctx context.Context) (*Session, error) {
	for {
		b.mu.Lock()
		session, info, changed := b.session, b.info, b.changed
		b.mu.Unlock()
		if session != nil && !session.Ended() {
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

// Stop ends the executor in good order and stops supervising. Workloads run on. Stop
// waits for an executor that is starting: if it were interrupted, it could leave a
// daemon behind.
func (b *Backend) Stop(ctx context.Context) error {
	session := b.started(ctx)
	var err error
	if session != nil {
		if err = closeBackend(ctx, session.Client); err == nil {
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

// started waits until the executor is no longer starting, and returns the session.
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

// takeRestart reports whether a restart was asked for, and clears the request.
func (b *Backend) takeRestart() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := b.restart
	b.restart = false
	return asked
}

// set changes the state and wakes those who wait for a change.
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
