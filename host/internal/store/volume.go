package store

import (
	"errors"
	"slices"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Volume is the record of a volume.
type Volume struct {
	// Name never changes.
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	// Anonymous means that no user has named it.
	Anonymous bool      `json:"anonymous,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// PutVolume writes a volume. The error is Invalid if its labels are too large.
func (tx *Tx) PutVolume(v *Volume) error {
	if v.Name == "" || len(v.Name) > maxKey {
		return executor.Errorf(executor.Invalid, "the name of a volume has %d bytes, 1 to %d are allowed", len(v.Name), maxKey)
	}
	if err := checkLabels(v.Labels); err != nil {
		return err
	}
	return tx.putJSON(volumes, []byte(v.Name), v)
}

// RemoveVolume removes the record of a volume. It is no error if there is none.
func (tx *Tx) RemoveVolume(name string) error { return tx.delete(volumes, []byte(name)) }

// Volume returns a volume by its name, or NotFound.
func (tx *Tx) Volume(name string) (*Volume, error) {
	v := new(Volume)
	found, err := tx.getJSON(volumes, []byte(name), v)
	if err == nil && !found {
		err = executor.Errorf(executor.NotFound, "no volume %q", name)
	}
	return v, err
}

// Volumes returns all volumes in the order of their names. It leaves out those that cannot
// be read, and names them in the error.
func (tx *Tx) Volumes() ([]*Volume, error) {
	var all []*Volume
	var errs []error
	for k, value := range tx.scan(volumes, nil) {
		v := new(Volume)
		if err := decodeJSON(volumes, k, value, v); err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, v)
	}
	return all, errors.Join(errs...)
}

// VolumeUsers returns the containers of each volume, by its name, without those that have
// ended and are about to be removed. The error names what cannot be read: what it uses is
// not known.
func (tx *Tx) VolumeUsers() (map[string][]*Container, error) {
	all, err := tx.Containers()
	users := map[string][]*Container{}
	for _, c := range all {
		ended := c.State == Released || c.State == Failed
		if ended && (c.AutoRemove || c.Desired == WantRemoved) {
			continue
		}
		for _, v := range c.Volumes {
			if !slices.Contains(users[v.Name], c) {
				users[v.Name] = append(users[v.Name], c)
			}
		}
	}
	return users, err
}
