package containers

import (
	"context"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
)

// Steps of a start, in their order.
const (
	// StepFiles makes the files of output, and shared memory.
	StepFiles = "files"
	// StepRootfs mounts the root file system.
	StepRootfs = "rootfs"
	// StepNetwork connects the networks, and makes the files for /etc.
	StepNetwork = "network"
	// StepPorts takes the published ports.
	StepPorts = "ports"
	// StepCreate has the executor create and start the workload, with hooks.
	StepCreate = "create"
	// StepRecord records that it runs.
	StepRecord = "record"
)

// Observer is told what a Manager does. Its methods are called by many goroutines, and must
// return at once.
type Observer interface {
	// Stepped says how long a step of a start took, whether or not it succeeded.
	Stepped(backend, step string, took time.Duration)
	// Started says how long a start took in all: of a container that runs if err is nil.
	Started(backend string, took time.Duration, err error)
	// Output says that more output was written, dropped or lost, in bytes.
	Output(stream api.Stream, written, dropped, lost int64)
}

// unobserved is the Observer of a Manager that has none.
type unobserved struct{}

func (unobserved) Stepped(string, string, time.Duration)  {}
func (unobserved) Started(string, time.Duration, error)   {}
func (unobserved) Output(api.Stream, int64, int64, int64) {}

// stepper measures the steps of a start.
type stepper struct {
	observer Observer
	backend  string
	began    time.Time
	recorded bool // its last step was made
}

// do runs a step, unless err says that one before has failed.
func (s *stepper) do(ctx context.Context, err error, step string, run func(context.Context) error) error {
	if err != nil {
		return err
	}
	began := time.Now()
	ctx, span := trace.Start(ctx, step)
	err = run(ctx)
	span.End(err)
	s.observer.Stepped(s.backend, step, time.Since(began))
	s.recorded = s.recorded || step == StepRecord
	return err
}

// end says what came of the start. An outcome that is not known yet is none: somebody asks
// again. And neither is one that somebody else has found.
func (s *stepper) end(err error) {
	code := executor.CodeOf(err)
	if code == executor.OutcomeUnknown || code == executor.Canceled || err == nil && !s.recorded {
		return
	}
	s.observer.Started(s.backend, time.Since(s.began), err)
}
