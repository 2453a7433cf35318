package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// maxKey is the longest name or request id, in bytes.
const maxKey = 255

// CreateContainer writes a new container and its spec. The error is AlreadyExists if its
// name, id, request id or address is in use, and Invalid if its labels are too large.
// [Tx.ContainerByRequest] returns the container that a request made.
func (tx *Tx) CreateContainer(c *Container, spec json.RawMessage) error {
	if err := executor.ValidateID(c.ID); err != nil {
		return err
	}
	if err := checkLabels(c.Labels); err != nil {
		return err
	}
	id := []byte(c.ID)
	if tx.get(containers, id) != nil {
		return executor.Errorf(executor.AlreadyExists, "container %s exists", c.ID)
	}
	if err := tx.claim(names, "name", c.Name, c.ID); err != nil {
		return err
	}
	if err := tx.claim(requests, "request id", c.RequestID, c.ID); err != nil {
		return err
	}
	if err := errors.Join(tx.changeLeases(c.ID, nil, c.Leases), tx.join(c)); err != nil {
		return err
	}
	if err := tx.put(specs, id, spec); err != nil {
		return err
	}
	return tx.putContainer(c)
}

// PutContainer writes a container that exists. Its name and addresses may have changed; its
// request id and network namespace must not.
func (tx *Tx) PutContainer(c *Container) error {
	old, err := tx.Container(c.ID)
	if err != nil {
		return err
	}
	if c.RequestID != old.RequestID {
		return executor.Errorf(executor.Invalid, "container %s: the request id %q cannot become %q", c.ID, old.RequestID, c.RequestID)
	}
	if c.Joined != old.Joined {
		return executor.Errorf(executor.Invalid, "container %s: the network namespace %q cannot become %q", c.ID, old.Joined, c.Joined)
	}
	if c.Name != old.Name {
		if err := tx.claim(names, "name", c.Name, c.ID); err != nil {
			return err
		}
		if err := tx.delete(names, []byte(old.Name)); err != nil {
			return err
		}
	}
	if err := tx.changeLeases(c.ID, old.Leases, c.Leases); err != nil {
		return err
	}
	return tx.putContainer(c)
}

// PutSpec writes the spec of a container that exists.
func (tx *Tx) PutSpec(id string, spec json.RawMessage) error {
	if _, err := tx.Container(id); err != nil {
		return err
	}
	return tx.put(specs, []byte(id), spec)
}

// putContainer writes a container within the limits of a record.
func (tx *Tx) putContainer(c *Container) error {
	c.Error, c.Command = cut(c.Error), cutCommand(c.Command)
	return tx.putJSON(containers, []byte(c.ID), c)
}

// claim adds a unique key of a container to an index.
func (tx *Tx) claim(index bucket, what, key, id string) error {
	if key == "" {
		return nil
	}
	if len(key) > maxKey {
		return executor.Errorf(executor.Invalid, "container %s: %s has %d bytes, at most %d are allowed", id, what, len(key), maxKey)
	}
	var owner string
	found, err := tx.getJSON(index, []byte(key), &owner)
	if err != nil {
		return err
	}
	if found {
		return executor.Errorf(executor.AlreadyExists, "%s %q is used by container %s", what, key, owner)
	}
	return tx.putJSON(index, []byte(key), id)
}

// RemoveContainer removes a container with its spec, name, request id, addresses, exits and
// execs. It is no error if there is none. Its events stay. Its addresses go to another
// container that has its network namespace, if there is one.
func (tx *Tx) RemoveContainer(id string) error {
	c, err := tx.Container(id)
	if errors.Is(err, executor.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range []struct {
		bucket bucket
		key    string
	}{{containers, id}, {specs, id}, {names, c.Name}, {requests, c.RequestID}} {
		if err := tx.delete(r.bucket, []byte(r.key)); err != nil {
			return err
		}
	}
	if err := errors.Join(tx.changeLeases(id, c.Leases, nil), tx.leave(c)); err != nil {
		return err
	}
	for _, b := range []bucket{exits, execs} {
		for _, k := range tx.keysOf(b, id) {
			if err := tx.delete(b, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// Container returns a container by its id, or NotFound.
func (tx *Tx) Container(id string) (*Container, error) {
	c := new(Container)
	found, err := tx.getJSON(containers, []byte(id), c)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound(id)
	}
	return c, nil
}

// Spec returns the OCI spec of a container, or NotFound.
func (tx *Tx) Spec(id string) (json.RawMessage, error) {
	value := tx.get(specs, []byte(id))
	if value == nil {
		return nil, notFound(id)
	}
	body, err := decode(specs, []byte(id), value)
	return bytes.Clone(body), err
}

// Containers returns all containers in the order of their ids. It leaves out those that
// cannot be read, and names them in the error.
func (tx *Tx) Containers() ([]*Container, error) {
	var all []*Container
	var errs []error
	for k, v := range tx.scan(containers, nil) {
		c := new(Container)
		if err := decodeJSON(containers, k, v, c); err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, c)
	}
	return all, errors.Join(errs...)
}

// ContainerByRequest returns the container that a request made, or NotFound.
func (tx *Tx) ContainerByRequest(requestID string) (*Container, error) {
	return tx.byIndex(requests, requestID)
}

// ContainerByName returns the container with a name, or NotFound.
func (tx *Tx) ContainerByName(name string) (*Container, error) { return tx.byIndex(names, name) }

// Find returns the container that a user means by a reference: its whole id, else its
// name, else a prefix that only one id has. The error is NotFound if there is none, and
// Invalid if more than one id has the prefix.
func (tx *Tx) Find(reference string) (*Container, error) {
	if tx.get(containers, []byte(reference)) != nil {
		return tx.Container(reference)
	}
	if c, err := tx.byIndex(names, reference); err == nil || !errors.Is(err, executor.NotFound) {
		return c, err
	}
	var matches []string
	if reference != "" {
		for k := range tx.scan(containers, []byte(reference)) {
			if !strings.HasPrefix(string(k), reference) || len(matches) > 1 {
				break
			}
			matches = append(matches, string(k))
		}
	}
	switch len(matches) {
	case 0:
		return nil, notFound(reference)
	case 1:
		return tx.Container(matches[0])
	}
	return nil, executor.Errorf(executor.Invalid, "%q is the start of more than one container id: %s; give more of it", reference, strings.Join(matches, ", "))
}

func (tx *Tx) byIndex(index bucket, key string) (*Container, error) {
	var id string
	found, err := tx.getJSON(index, []byte(key), &id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound(key)
	}
	return tx.Container(id)
}

func notFound(reference string) error {
	return executor.Errorf(executor.NotFound, "no container %q", reference)
}
