package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// Restarts wait restartMin after a first failure, twice as long after each
// further one, up to restartMax. A run of restartSteady makes the next failure a
// first one again. The numbers are those of Docker's restart policies.
const (
	restartMin    = 100 * time.Millisecond
	restartMax    = time.Minute
	restartSteady = 10 * time.Second
)

// keepAttempts is of how many attempts the output is kept, so that a container
// that fails again and again does not fill the disk.
const keepAttempts = 10

// The restart policies. They mean what they mean to Docker: a container that was
// stopped stays so, but the next host starts those again that run always.
const (
	RestartNo            = "no"
	RestartOnFailure     = "on-failure"
	RestartAlways        = "always"
	RestartUnlessStopped = "unless-stopped"
)

// renew is what a new host does first: it plans the start of stopped containers
// that run always, or the removal of all if it is ephemeral. The reconciles of
// their backends do it.
func (h *Host) renew(ctx context.Context) error {
	return h.store.Update(ctx, func(tx *store.Tx) error {
		all, err := tx.Containers()
		if err != nil {
			return err
		}
		for _, c := range all {
			switch {
			case h.ephemeral:
				c.Desired = store.WantRemoved
			case c.Restart.Name == RestartAlways && c.Desired == store.WantStopped && c.State == store.Released:
				c.Desired, c.Failures, c.RestartAt = store.WantRunning, 0, time.Now()
			}
			if err := tx.PutContainer(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// ParseRestartPolicy reads "no", "always", "unless-stopped", "on-failure" or
// "on-failure:N", with at most N restarts. Empty is "no".
func ParseRestartPolicy(value string) (store.RestartPolicy, error) {
	name, count, counted := strings.Cut(value, ":")
	policy := store.RestartPolicy{Name: name}
	switch name {
	case "", RestartNo:
		policy.Name = ""
	case RestartAlways, RestartUnlessStopped, RestartOnFailure:
	default:
		return policy, executor.Errorf(executor.Invalid, "unknown restart policy %q; use no, on-failure, on-failure:N, always or unless-stopped", value)
	}
	if counted {
		n, err := strconv.Atoi(count)
		if name != RestartOnFailure || err != nil || n < 1 {
			return policy, executor.Errorf(executor.Invalid, "restart policy %q: only on-failure takes a number, of at least 1", value)
		}
		policy.MaxRetries = n
	}
	return policy, nil
}

// planRestart sets when the policy starts c again, if it does. failed says that
// the attempt was no success.
func planRestart(c *store.Container, failed bool) {
	c.RestartAt = time.Time{}
	if c.Desired != store.WantRunning {
		return
	}
	switch c.Restart.Name {
	case RestartAlways, RestartUnlessStopped:
	case RestartOnFailure:
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

// failure reports whether an end counts as one for on-failure. What nobody knows
// is no success.
func failure(end *executor.Exit) bool { return end.Code == nil || *end.Code != 0 }

// scheduleRestart starts c again when its time has come. A backend that is not
// there then is waited for: its next reconcile schedules again.
func (h *Host) scheduleRestart(c *store.Container) {
	h.background(func() {
		select {
		case <-time.After(time.Until(c.RestartAt)):
		case <-h.ctx.Done():
			return
		}
		err := h.nextAttempt(h.ctx, c.ID, func(now *store.Container) bool {
			return now.Attempt == c.Attempt && now.RestartAt.Equal(c.RestartAt) && now.Desired == store.WantRunning
		})
		if err != nil && h.ctx.Err() == nil && !h.isDraining() && !errors.Is(err, executor.NotFound) { // removed meanwhile
			h.logger.Warn("restart failed", "container", c.ID, "attempt", c.Attempt+1, "error", err)
		}
	})
}

// Start starts a container that has ended once more. One that has not is
// [executor.FailedPrecondition].
func (h *Host) Start(ctx context.Context, reference string) (Container, error) {
	c, err := h.record(reference)
	if err != nil {
		return Container{}, err
	}
	started := false
	err = h.nextAttempt(ctx, c.ID, func(now *store.Container) bool {
		started = ended(now) && now.Desired != store.WantRemoved
		now.Desired, now.Failures, now.Restarts = store.WantRunning, 0, -1
		return started
	})
	if err == nil && !started {
		err = executor.Errorf(executor.FailedPrecondition, "container %s is %s", reference, c.State)
	}
	if err != nil {
		return Container{}, err
	}
	return h.Inspect(c.ID)
}

// nextAttempt starts the next attempt of a container, if a last look at its
// record, in the transaction that records the intent, says so.
func (h *Host) nextAttempt(ctx context.Context, id string, still func(*store.Container) bool) error {
	record, err := h.record(id)
	if err != nil {
		return err
	}
	session, err := h.session(ctx, record.Backend)
	if err != nil {
		return err
	}
	var spec json.RawMessage
	record = nil
	err = h.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err != nil || !still(c) {
			return err
		}
		if h.isDraining() {
			return errDraining()
		}
		if spec, err = tx.Spec(id); err != nil {
			return err
		}
		if string(spec) == unknownSpec {
			return executor.Errorf(executor.FailedPrecondition, "container %s cannot be started again: what it ran was lost with a damaged state", id)
		}
		c.Attempt++
		c.Restarts++
		c.State, c.PID, c.Error, c.ErrorCode, c.Lost = store.Creating, 0, "", "", nil
		c.StartedAt, c.FinishedAt, c.RestartAt = time.Time{}, time.Time{}, time.Time{}
		record = c
		return tx.PutContainer(c)
	})
	if err != nil || record == nil {
		return err
	}
	if old := record.Attempt - keepAttempts; old > 0 {
		err = h.output.RemoveAttempt(executor.Ref{ID: id, Attempt: old})
	}
	return errors.Join(err, h.startFirst(ctx, session, record, spec))
}

// rebooted ends what ran before a reboot.
func (h *Host) rebooted(ctx context.Context, c *store.Container) error {
	return h.lose(ctx, c, fmt.Sprintf("reboot: the machine was started anew while attempt %d ran", c.Attempt))
}
