package store

import (
	"errors"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// joinKey is that in the bucket. No id has a slash.
func joinKey(c *Container) []byte { return []byte(c.Joined + "/" + c.ID) }

// join notes that a container has the network namespace of another.
func (tx *Tx) join(c *Container) error {
	if c.Joined == "" {
		return nil
	}
	if err := executor.ValidateID(c.Joined); err != nil {
		return err
	}
	return tx.putJSON(joins, joinKey(c), c.ID)
}

// leave takes back what join notes of a container that has no record any more, and gives the
// addresses that it had to another one of its network namespace.
func (tx *Tx) leave(c *Container) error {
	if c.Joined != "" {
		if err := tx.delete(joins, joinKey(c)); err != nil {
			return err
		}
	}
	if len(c.Leases) == 0 && !c.Unconnected {
		return nil
	}
	ids, err := tx.Sharers(c.NetNS())
	for _, id := range ids {
		next, err := tx.Container(id)
		if err != nil {
			continue // it is damaged, and can have no addresses
		}
		next.Leases, next.Unconnected = c.Leases, c.Unconnected
		return tx.PutContainer(next)
	}
	return err
}

// Sharers returns the ids of the containers that have a network namespace: that after which it
// is named, unless it was removed, and those that have joined it.
func (tx *Tx) Sharers(netns string) (ids []string, err error) {
	if tx.get(containers, []byte(netns)) != nil {
		ids = append(ids, netns)
	}
	prefix := netns + "/"
	for k, value := range tx.scan(joins, []byte(prefix)) {
		if !strings.HasPrefix(string(k), prefix) {
			break
		}
		var id string
		if derr := decodeJSON(joins, k, value, &id); derr != nil {
			err = errors.Join(err, derr)
			continue
		}
		ids = append(ids, id)
	}
	return ids, err
}

// LeaseHolder returns the container that has the addresses of a network namespace, or that was
// disconnected from all networks, or NotFound.
func (tx *Tx) LeaseHolder(netns string) (*Container, error) {
	ids, err := tx.Sharers(netns)
	for _, id := range ids {
		if c, cerr := tx.Container(id); cerr == nil && (len(c.Leases) > 0 || c.Unconnected) {
			return c, nil
		}
	}
	if err == nil {
		err = executor.Errorf(executor.NotFound, "no container has an address in the network namespace %s", netns)
	}
	return nil, err
}
