package containers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// A restart waits restartMin after the first failure and twice as long after each
// further one, up to restartMax. After a run of restartSteady the next failure counts
// as the first. The numbers are those of Docker's restart policies.
const (
	restartMin    = 100 * time.Millisecond
	restartMax    = time.Minute
	restartSteady = 10 * time.Second
)

// keepAttempts is the number of attempts whose output is kept, so that a container that
// fails again and again does not fill the disk.
const keepAttempts = 10

// applyPolicies records what is to become of the containers of an earlier host: stopped
// ones with the policy always are started, and if the host is ephemeral all are removed.
// The reconciles of their backends do it.
func (m *Manager) applyPolicies(ctx context.Context) error {
	return m.store.Update(ctx, func(tx *store.Tx) error {
		all, err := tx.Containers()
		if err != nil {
			return err
		}
		for _, c := range all {
			switch {
			case m.opts.Ephemeral:
				c.Desired = store.WantRemoved
			case c.Restart.Name == api.RestartAlways && c.Desired == store.WantStopped && c.State == store.Released:
				c.Desired, c.Failures, c.RestartAt = store.WantRunning, 0, time.Now()
			}
			if err := tx.PutContainer(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// ParseRestartPolicy parses "no", "always", "unless-stopped", "on-failure" or
// "on-failure:N", with at most N restarts. Empty means "no".
func ParseRestartPolicy(value string) (store.RestartPolicy, error) {
	name, count, counted := strings.Cut(value, ":")
	policy := store.RestartPolicy{Name: name}
	switch name {
	case "", api.RestartNo:
		policy.Name = ""
	case api.RestartAlways, api.RestartUnlessStopped, api.RestartOnFailure:
	default:
		return policy, executor.Errorf(executor.Invalid, "unknown restart policy %q; use no, on-failure, on-failure:N, always or unless-stopped", value)
	}
	if counted {
		n, err := strconv.Atoi(count)
		if name != api.RestartOnFailure || err != nil || n < 1 {
			return policy, executor.Errorf(executor.Invalid, "restart policy %q: only on-failure takes a number, of at least 1", value)
		}
		policy.MaxRetries = n
	}
	return policy, nil
}

// setRestart sets the time at which the policy, or a user's restart, starts c again, if
// one does. failed means that the attempt did not succeed.
func setRestart(c *store.Container, failed bool) {
	again := c.Again
	c.RestartAt, c.Again = time.Time{}, false
	switch {
	case c.Desired != store.WantRunning:
		return
	case c.EndsBy() != nil: // and when that is made or not, it is decided
		c.Again = again
		return
	case again:
		c.RestartAt, c.Failures, c.Restarts = time.Now(), 0, -1
		return
	}
	switch c.Restart.Name {
	case api.RestartAlways, api.RestartUnlessStopped:
	case api.RestartOnFailure:
		if !failed || c.Restart.MaxRetries > 0 && c.Restarts >= c.Restart.MaxRetries {
			return
		}
	default:
		return
	}
	if !c.StartedAt.IsZero() && c.FinishedAt.Sub(c.StartedAt) >= restartSteady {
		c.Failures = 0
	}
	wait := min(restartMin<<min(c.Failures, 16), restartMax)
	c.Failures++
	c.RestartAt = time.Now().Add(wait)
}

// failure reports whether an end counts as a failure for on-failure. An unknown exit
// code does.
func failure(end *executor.Exit) bool { return end.Code == nil || *end.Code != 0 }

// scheduleRestart starts c again at its RestartAt. If its backend is down then, the next
// reconcile schedules it again.
func (m *Manager) scheduleRestart(c *store.Container) {
	m.background(func() {
		select {
		case <-time.After(time.Until(c.RestartAt)):
		case <-m.ctx.Done():
			return
		}
		err := m.nextAttempt(m.ctx, c.ID, func(now *store.Container) bool {
			return now.Attempt == c.Attempt && now.RestartAt.Equal(c.RestartAt) && now.Desired == store.WantRunning
		})
		if err != nil && m.ctx.Err() == nil && !m.isDraining() && !errors.Is(err, executor.NotFound) { // removed meanwhile
			m.logger.Warn("restart failed", "container", c.ID, "attempt", c.Attempt+1, "error", err)
		}
	})
}

// Start starts a container that was made without a start, or that has ended once more. The
// error for one that has not ended is [executor.FailedPrecondition].
func (m *Manager) Start(ctx context.Context, reference string) (api.Container, error) {
	return m.startFrom(ctx, reference, "")
}

// startFrom does what Start does, from a checkpoint unless that is empty.
func (m *Manager) startFrom(ctx context.Context, reference, checkpoint string) (api.Container, error) {
	c, err := m.record(reference)
	if err != nil {
		return api.Container{}, err
	}
	started := false
	err = m.nextAttempt(ctx, c.ID, func(now *store.Container) bool {
		started = ended(now) && now.Desired != store.WantRemoved && (checkpoint == "" || now.Checkpoint(checkpoint) != nil)
		now.From = checkpoint
		now.Desired, now.Failures, now.Restarts = store.WantRunning, 0, -1
		return started
	})
	if err == nil && !started {
		err = executor.Errorf(executor.FailedPrecondition, "container %s is %s", reference, c.State)
	}
	if err != nil {
		return api.Container{}, err
	}
	return m.Inspect(c.ID)
}

// nextAttempt starts the next attempt of a container if isDue still reports true for its
// record in the transaction that records the intent.
func (m *Manager) nextAttempt(ctx context.Context, id string, isDue func(*store.Container) bool) error {
	return m.carryOn(id, func() error { return m.startNext(ctx, id, isDue) })
}

// startNext does what nextAttempt does. Nobody carries on if it panics.
func (m *Manager) startNext(ctx context.Context, id string, isDue func(*store.Container) bool) error {
	record, err := m.record(id)
	if err != nil {
		return err
	}
	session, err := m.backends.Session(ctx, record.Backend)
	if err != nil {
		return err
	}
	var spec json.RawMessage
	record = nil
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err != nil {
			return err
		}
		if c.From = ""; !isDue(c) {
			return nil
		}
		if m.isDraining() {
			return errDraining()
		}
		if spec, err = tx.Spec(id); err != nil {
			return err
		}
		if string(spec) == unknownSpec {
			return executor.Errorf(executor.FailedPrecondition, "container %s cannot be started again: what it ran was lost with the state", id)
		}
		c.Attempt++
		c.Restarts++
		c.State, c.PID, c.Error, c.ErrorCode, c.Lost, c.Health = store.Creating, 0, "", "", nil, nil
		c.Deaths, c.GivenUp, c.Cut, c.Updating, c.InputClosed, c.Held = 0, "", false, false, false, false
		c.Checkpointed = ""
		c.StartedAt, c.FinishedAt, c.RestartAt = time.Time{}, time.Time{}, time.Time{}
		record = c
		return tx.PutContainer(c)
	})
	if err != nil || record == nil {
		return err
	}
	m.keepCopy(id)
	err = m.outputs.KeepAttempts(record.Ref(), keepAttempts-1, m.limits.Load().AttemptsBytes)
	return errors.Join(err, m.startFirst(ctx, session, record, spec))
}

// recordReboot records the end of an attempt that ran before a reboot.
func (m *Manager) recordReboot(ctx context.Context, c *store.Container) error {
	return m.recordLost(ctx, c, fmt.Sprintf("reboot: the machine was started anew while attempt %d ran", c.Attempt))
}
