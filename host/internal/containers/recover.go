package containers

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// recoverRecords completes a state that is damaged, missing or older from the copies
// beside the output. It records what is wanted of each container; how it fares is found out
// by the reconcile of its backend. What was removed has no copy, and does not come back.
func (m *Manager) recoverRecords(ctx context.Context) error {
	ids, err := m.outputs.IDs()
	if err != nil {
		return err
	}
	recovered := 0
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			changed, err := m.recoverRecord(tx, id)
			if err != nil {
				m.logger.Error("a container's record is not recovered", "container", id, "error", err)
			}
			if changed {
				recovered++
			}
		}
		if m.store.Info().Behind == nil {
			return nil
		}
		return settleRemoved(tx, ids)
	})
	if err == nil && recovered > 0 {
		m.logger.Warn("records of containers were recovered from the copies beside their output", "records", recovered)
	}
	return err
}

// recoverRecord makes the record of a container from its copy, or brings an older record up
// to date. It reports whether it changed something.
func (m *Manager) recoverRecord(tx *store.Tx, id string) (changed bool, err error) {
	c, spec, err := m.readCopy(id)
	if err != nil {
		if noCopy(err) {
			err = nil
		}
		return false, err
	}
	now, err := tx.Container(id)
	switch {
	case errors.Is(err, executor.NotFound):
		unsettle(c)
		return true, createAdopted(tx, c, spec)
	case err != nil:
		return false, err
	case c.Attempt < now.Attempt, c.Attempt == now.Attempt && c.Desired == now.Desired:
		return false, nil
	}
	later := c.Attempt > now.Attempt
	now.Attempt, now.Desired, now.Restarts, now.Failures, now.RestartAt = c.Attempt, c.Desired, c.Restarts, c.Failures, c.RestartAt
	if later {
		unsettle(now)
	}
	return true, tx.PutContainer(now)
}

// unsettle makes a record that of an attempt of which only its backend knows how it fares.
func unsettle(c *store.Container) {
	c.State, c.PID, c.Error, c.ErrorCode, c.Lost, c.Health = store.Running, 0, "", "", nil, nil
	c.StartedAt, c.FinishedAt, c.RestartAt = time.Time{}, time.Time{}, time.Time{}
	if c.Attempt == 0 {
		c.State = store.Created
	}
}

// createAdopted makes a record that was lost. What is unique and in use by now, it does
// without.
func createAdopted(tx *store.Tx, c *store.Container, spec []byte) error {
	if other, err := tx.ContainerByName(c.Name); err == nil {
		c.Error = "its name " + c.Name + " is used by container " + other.ID + " since"
		c.Name = ""
	}
	if _, err := tx.ContainerByRequest(c.RequestID); err == nil {
		c.RequestID = ""
	}
	c.Leases = slices.DeleteFunc(c.Leases, func(l store.Lease) bool {
		owner, err := tx.LeaseOwner(l)
		return l.Address.IsValid() && (owner != "" || err != nil)
	})
	if err := tx.CreateContainer(c, spec); err != nil {
		return err
	}
	return appendEvent(tx, api.EventCreated, c, map[string]string{"adopted": "true"})
}

// settleRemoved ends the restart policies of the containers of an older state that were
// removed since: nothing may start them again. Their records stay, for the user to remove.
// The others have directories.
func settleRemoved(tx *store.Tx, has []string) error {
	all, err := tx.Containers()
	if err != nil {
		return err
	}
	for _, c := range all {
		if slices.Contains(has, c.ID) || c.Desired == store.WantRemoved {
			continue
		}
		settle(c)
		if err := tx.PutContainer(c); err != nil {
			return err
		}
	}
	return nil
}

func settle(c *store.Container) {
	c.Desired, c.Restart, c.RestartAt = store.WantStopped, store.RestartPolicy{}, time.Time{}
	c.Error = "the state was put back to an older one, and the container was removed since"
}
