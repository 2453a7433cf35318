package containers

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// try is one start of an attempt, with the tries that it takes.
type try struct {
	manager    *Manager
	record     *store.Container
	timeout    time.Duration // what the user allows
	deadline   time.Time
	badReplies int
}

// startTimeout returns how long a start of a container may take.
func (m *Manager) startTimeout(c *store.Container) time.Duration {
	if c.StartTimeout > 0 {
		return c.StartTimeout
	}
	if b := m.backends.All()[c.Backend]; b != nil {
		return b.Config().StartLimit()
	}
	return config.DefaultStartTimeout
}

// create asks an executor once. An attempt whose start may have ended an executor is
// started while no other such attempt is.
func (t *try) create(ctx context.Context, session *backends.Session, workload executor.Workload) (executor.Status, error) {
	if t.record.Deaths > 0 {
		unlock, err := t.manager.suspects.Lock(ctx, t.record.Backend)
		if err != nil {
			return executor.Status{}, err
		}
		defer unlock()
		t.deadline = time.Now().Add(t.timeout)
	}
	return backends.On(transport.Within(ctx, max(time.Second, time.Until(t.deadline))), session, transport.MethodCreate, workload)
}

// explain says of an error that the time was over, if it was.
func (t *try) explain(err error) error {
	if !errors.Is(err, executor.DeadlineExceeded) && time.Now().Before(t.deadline) {
		return err
	}
	why := ": " + err.Error()
	switch code := executor.CodeOf(err); {
	case errors.Is(err, transport.ErrNoAnswer):
		why = ", and its executor does not say why"
	case code == executor.DeadlineExceeded, code == executor.Canceled:
		why = ""
	}
	return executor.Errorf(executor.DeadlineExceeded, "it was not started within %s%s; --start-timeout, or start_timeout of the backend, allows more", t.timeout, why)
}

// countDeath counts the end of the executor that was asked at began, and returns the record
// with it. The error says that there were too many. An executor that was ended because
// somebody asked for that does not count.
func (t *try) countDeath(began time.Time) (*store.Container, error) {
	b := t.manager.backends.All()[t.record.Backend]
	if b == nil {
		return t.record, nil
	}
	info := b.Info()
	if info.LastErrorAt.Before(began) {
		return t.record, nil
	}
	err := t.manager.store.Update(context.WithoutCancel(t.manager.ctx), func(tx *store.Tx) error {
		c, err := tx.Container(t.record.ID)
		if err != nil || c.Attempt != t.record.Attempt || c.State != store.Creating {
			return err
		}
		c.Deaths++
		c.Error = "the executor ended while it started the container: " + info.LastError
		t.record = c
		return tx.PutContainer(c)
	})
	if err == nil && t.record.Deaths >= maxDeaths {
		return t.record, executor.Errorf(executor.Internal, "its start ended the executor of backend %s %d times, and is not tried again: %s", t.record.Backend, t.record.Deaths, info.LastError)
	}
	return t.record, nil
}
