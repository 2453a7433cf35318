package supervisor

import (
	"cmp"
	"context"
	"time"

	"github.com/davit-run/davit/host/internal/cgroup"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// Config says what a Backend runs.
type Config struct {
	Name   string
	RunDir string // of this backend alone; made if it is not there
	// Find returns the executor's program. It is called before each start.
	Find func() (Binary, error)
	// Programs keeps the copy that is run. Nil means that the copy is in memory.
	Programs *Programs
	// User returns the user that the executor runs as. It is called whenever an executor
	// is started or connected to. Nil means the host's own user.
	User func() (User, error)
	// Cgroup is where the executor and what it starts live; nil leaves them in the
	// host's own.
	Cgroup *cgroup.Cgroup
	// Logger gets the executor's log. Executors log at the level that it has when they are
	// started.
	Logger hclog.Logger
	Hello  transport.Hello
	Host   executor.Host
	// Environment returns the environment for Open. It gets the schemas, and may ask the
	// executor to validate.
	Environment func(context.Context, transport.Client, executor.Description) (executor.Environment, error)
	// Ready is called with every new session before Session returns it.
	Ready func(context.Context, *Session) error
	// Changed is called after every change of state, one at a time.
	Changed func(Info)
	// Timing is for tests; zero fields mean the defaults.
	Timing Timing

	// endsWithUs lets the kernel kill the executor together with the thread that starts
	// it.
	endsWithUs bool
}

// Timing are the time limits of a Backend.
type Timing struct {
	// Launch bounds the start of a process until it has said hello. Seen: 11 ms; a
	// loaded machine may take seconds. Default 20 s.
	Launch time.Duration
	// Open bounds the opening of the backend, which may have to start a daemon.
	// Default 60 s.
	Open time.Duration
	// The executor is called every HealthInterval (default 5 s). It is taken to hang
	// after two calls in a row without an answer within HealthTimeout (default 5 s).
	HealthInterval, HealthTimeout time.Duration
}

func (t Timing) withDefaults() Timing {
	return Timing{
		Launch:         cmp.Or(t.Launch, 20*time.Second),
		Open:           cmp.Or(t.Open, 60*time.Second),
		HealthInterval: cmp.Or(t.HealthInterval, 5*time.Second),
		HealthTimeout:  cmp.Or(t.HealthTimeout, 5*time.Second),
	}
}
