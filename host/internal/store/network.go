package store

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Network is the record of a network.
type Network struct {
	// Name never changes, nor does any of the rest.
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Subnet netip.Prefix      `json:"subnet"`
	// Gateway is the machine's own address on it.
	Gateway netip.Addr `json:"gateway"`
	// Internal networks lead nowhere else.
	Internal bool `json:"internal,omitempty"`
	// Bridge is the name of its link, and MTU how large a packet may be, in bytes.
	Bridge    string    `json:"bridge"`
	MTU       int       `json:"mtu"`
	CreatedAt time.Time `json:"created_at"`
}

// Lease is the address that a container has on a network, from when it is made or connected to
// it until it is removed or disconnected.
type Lease struct {
	Network string     `json:"network"`
	Address netip.Addr `json:"address"`
	// Link is the number of its link. It never changes.
	Link int `json:"link,omitempty"`
	// Driver names what the network is made by, if it is no network of a command. It may give
	// the address only when the container is started: until then Address is not valid, unless
	// it was asked for, and is Want.
	Driver string     `json:"driver,omitempty"`
	Want   netip.Addr `json:"want,omitzero"`
}

// key is that in the bucket. No name of a network has a slash.
func (l Lease) key() string { return l.Network + "/" + l.Address.String() }

// PutNetwork writes a network. The error is Invalid if its labels are too large.
func (tx *Tx) PutNetwork(n *Network) error {
	if n.Name == "" || len(n.Name) > maxKey || strings.Contains(n.Name, "/") {
		return executor.Errorf(executor.Invalid, "the name of a network has %d bytes, 1 to %d without a slash are allowed", len(n.Name), maxKey)
	}
	if err := checkLabels(n.Labels); err != nil {
		return err
	}
	return tx.putJSON(networks, []byte(n.Name), n)
}

// RemoveNetwork removes the record of a network. It is no error if there is none.
func (tx *Tx) RemoveNetwork(name string) error { return tx.delete(networks, []byte(name)) }

// Network returns a network by its name, or NotFound.
func (tx *Tx) Network(name string) (*Network, error) {
	n := new(Network)
	found, err := tx.getJSON(networks, []byte(name), n)
	if err == nil && !found {
		err = executor.Errorf(executor.NotFound, "no network %q", name)
	}
	return n, err
}

// Networks returns all networks in the order of their names. It leaves out those that cannot
// be read, and names them in the error.
func (tx *Tx) Networks() ([]*Network, error) {
	var all []*Network
	var errs []error
	for k, value := range tx.scan(networks, nil) {
		n := new(Network)
		if err := decodeJSON(networks, k, value, n); err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, n)
	}
	return all, errors.Join(errs...)
}

// Leases returns who has which address of a network: ids of containers.
func (tx *Tx) Leases(network string) (map[netip.Addr]string, error) {
	prefix := network + "/"
	owners := map[netip.Addr]string{}
	for k, value := range tx.scan(leases, []byte(prefix)) {
		text, ok := strings.CutPrefix(string(k), prefix)
		if !ok {
			break
		}
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, damaged(leases, k, err)
		}
		var id string
		if err := decodeJSON(leases, k, value, &id); err != nil {
			return nil, err
		}
		owners[address] = id
	}
	return owners, nil
}

// LeaseOwner returns the id of the container that has an address, or "".
func (tx *Tx) LeaseOwner(l Lease) (id string, err error) {
	_, err = tx.getJSON(leases, []byte(l.key()), &id)
	return id, err
}

// changeLeases makes the leases of a container now those in the bucket, in the place of old
// ones. The error is AlreadyExists if another container has one.
func (tx *Tx) changeLeases(id string, old, now []Lease) error {
	for _, l := range old {
		if !l.Address.IsValid() {
			continue
		}
		owner, err := tx.LeaseOwner(l)
		if err != nil {
			return err
		}
		if owner == id && !slices.Contains(now, l) {
			if err := tx.delete(leases, []byte(l.key())); err != nil {
				return err
			}
		}
	}
	for _, l := range now {
		if slices.Contains(old, l) || !l.Address.IsValid() {
			continue
		}
		if err := tx.claim(leases, "address", l.key(), id); err != nil {
			return err
		}
	}
	return nil
}
