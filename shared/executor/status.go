package executor

import (
	"cmp"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// Signal is a Linux signal number.
type Signal = syscall.Signal

// State is where an attempt stands.
type State string

const (
	// Running: the workload's first process lives.
	Running State = "running"
	// Paused: it lives and is frozen.
	Paused State = "paused"
	// Exited: it has ended. The backend may still have its exit and output.
	Exited State = "exited"
	// Released: it has ended, and the backend keeps nothing but its record.
	Released State = "released"
)

// Ended reports whether the workload's first process is gone.
func (s State) Ended() bool { return s == Exited || s == Released }

// Status is what a backend knows about an attempt.
type Status struct {
	Ref   Ref   `json:"ref"`
	State State `json:"state"`
	// PID is the first process in the executor's PID namespace, 0 where there is
	// none (any more).
	PID int `json:"pid,omitempty"`
	// StartedAt is the same in every status of an attempt, or zero if it is not
	// known.
	StartedAt time.Time `json:"started_at,omitzero"`
	// Exit is set when State.Ended.
	Exit *Exit `json:"exit,omitempty"`
	// Output is set when State is Released.
	Output Output `json:"output,omitempty"`
	// Runtime is the name the attempt was created with.
	Runtime string `json:"runtime,omitempty"`
}

// maxPID is the greatest pid that Linux can have.
const maxPID = 1 << 22

// Validate checks that s makes sense: a valid ref, a known state, a possible pid, and an
// exit exactly when the attempt has ended. The error is [Invalid].
func (s Status) Validate() error {
	if err := s.Ref.Validate(); err != nil {
		return err
	}
	switch s.State {
	case Running, Paused, Exited, Released:
	default:
		return Errorf(Invalid, "%s: unknown state %q", s.Ref, s.State)
	}
	if s.PID < 0 || s.PID > maxPID {
		return Errorf(Invalid, "%s: no process can have the pid %d", s.Ref, s.PID)
	}
	if s.Output != "" {
		if err := s.Output.Validate(); err != nil {
			return Errorf(Invalid, "%s: %w", s.Ref, err)
		}
	}
	if s.State.Ended() != (s.Exit != nil) {
		return Errorf(Invalid, "%s: state %s, but exit set: %t", s.Ref, s.State, s.Exit != nil)
	}
	if s.Exit != nil {
		return s.Exit.validate(s.Ref)
	}
	return nil
}

// Provenance says how an exit is known.
type Provenance string

const (
	// Observed: the executor was watching when the workload ended.
	Observed Provenance = "observed"
	// Recovered: the backend kept the exit while nobody watched.
	Recovered Provenance = "recovered"
	// Lost: nobody can know the exit any more. Reason says why.
	Lost Provenance = "lost"
)

// Exit is the end of an attempt. Unknown fields are left out, never invented.
type Exit struct {
	// Code is the exit code, 0 to 255, and 128+Signal after a death by signal.
	// It is nil when Source is Lost.
	Code *int `json:"code"`
	// Signal is the signal that ended the first process, 0 if none did or the backend
	// does not know. OCI shims report 128+n for a death by signal and for an exit
	// with that code alike; see [SignalFromCode].
	Signal Signal `json:"signal,omitempty"`
	// OOM says that the kernel killed a process of the workload because its
	// memory limit was reached. Nil means that it could not be read.
	OOM *bool `json:"oom,omitempty"`
	// At is when the workload ended, as precisely as the backend knows.
	At     time.Time  `json:"at,omitzero"`
	Source Provenance `json:"source"`
	// Reason says in words why an exit is Lost.
	Reason string `json:"reason,omitempty"`
}

// ExitCode returns the exit code, or false if the exit is [Lost].
func (e Exit) ExitCode() (code int, known bool) {
	if e.Code == nil {
		return 0, false
	}
	return *e.Code, true
}

// String returns the exit in words, such as "exit code 3", "exit code 137 (killed, out of
// memory)" or "lost: the machine was restarted".
func (e Exit) String() string {
	code, known := e.ExitCode()
	if !known {
		return "lost: " + cmp.Or(e.Reason, "nobody knows the reason")
	}
	text := fmt.Sprintf("exit code %d", code)
	var causes []string
	if e.Signal != 0 {
		causes = append(causes, e.Signal.String())
	}
	if e.OOM != nil && *e.OOM {
		causes = append(causes, "out of memory")
	}
	if causes != nil {
		text += " (" + strings.Join(causes, ", ") + ")"
	}
	return text
}

func (e *Exit) validate(ref Ref) error {
	if e.Signal < 0 || e.Signal > 64 {
		return Errorf(Invalid, "%s: signal %d of an exit is not within 1 to 64", ref, int(e.Signal))
	}
	switch e.Source {
	case Observed, Recovered:
		if e.Code == nil {
			return Errorf(Invalid, "%s: exit is %s but has no code", ref, e.Source)
		}
		if *e.Code < 0 || *e.Code > 255 {
			return Errorf(Invalid, "%s: exit code %d is not within 0 to 255", ref, *e.Code)
		}
	case Lost:
		if e.Code != nil {
			return Errorf(Invalid, "%s: exit is lost but has the code %d", ref, *e.Code)
		}
	default:
		return Errorf(Invalid, "%s: unknown source %q of an exit", ref, e.Source)
	}
	return nil
}

// LostExit returns the exit of a workload whose end nobody saw.
func LostExit(reason string) *Exit { return &Exit{Source: Lost, Reason: reason} }

// SignalFromCode returns the signal that an exit code above 128 stands for by the
// convention of shells and OCI shims, or 0. Linux has signals 1 to 64.
func SignalFromCode(code int) Signal {
	if code > 128 && code <= 128+64 {
		return Signal(code - 128)
	}
	return 0
}

// Output says whether all that an attempt wrote is in its files.
type Output string

const (
	// Complete: the last byte was seen to be in the files.
	Complete Output = "complete"
	// Truncated: output may be missing at the end.
	Truncated Output = "truncated"
)

// Validate checks that o is one of the values above. The error is [Invalid].
func (o Output) Validate() error {
	if o != Complete && o != Truncated {
		return Errorf(Invalid, "the output is %q, neither %s nor %s", o, Complete, Truncated)
	}
	return nil
}
