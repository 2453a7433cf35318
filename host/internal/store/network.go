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
	// Subnet6 and Gateway6 are those of IPv6, and not valid if the network has none.
	Subnet6  netip.Prefix `json:"subnet6,omitzero"`
	Gateway6 netip.Addr   `json:"gateway6,omitzero"`
	// Internal networks lead nowhere else.
	Internal bool `json:"internal,omitempty"`
	// Bridge is the name of its link, and MTU how large a packet may be, in bytes.
	Bridge    string    `json:"bridge"`
	MTU       int       `json:"mtu"`
	CreatedAt time.Time `json:"created_at"`
}

// Lease has the addresses that a container has on a network, from when it is made or connected
// to it until it is removed or disconnected.
type Lease struct {
	Network string     `json:"network"`
	Address netip.Addr `json:"address"`
	// Address6 is that of IPv6, and not valid if the network has none.
	Address6 netip.Addr `json:"address6,omitzero"`
	// Link is the number of its link. It never changes.
	Link int `json:"link,omitempty"`
	// MAC is the hardware address that was asked for; empty means one that belongs to Address.
	MAC string `json:"mac,omitempty"`
}

// Addresses returns the addresses of a lease, that of IPv4 first.
func (l Lease) Addresses() (all []netip.Addr) {
	for _, a := range []netip.Addr{l.Address, l.Address6} {
		if a.IsValid() {
			all = append(all, a)
		}
	}
	return all
}

// keys are those in the bucket, one for each address. No name of a network has a slash.
func (l Lease) keys() (all []string) {
	for _, a := range l.Addresses() {
		all = append(all, l.Network+"/"+a.String())
	}
	return all
}

// keysOf returns the keys of leases.
func keysOf(leases []Lease) (all []string) {
	for _, l := range leases {
		all = append(all, l.keys()...)
	}
	return all
}

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

// Leases returns who has which address of a network, of either family: ids of containers.
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

// LeaseOwner returns the id of the container that has one of the addresses of a lease, or "".
func (tx *Tx) LeaseOwner(l Lease) (id string, err error) {
	for _, key := range l.keys() {
		if id == "" && err == nil {
			_, err = tx.getJSON(leases, []byte(key), &id)
		}
	}
	return id, err
}

// changeLeases makes the leases of a container now those in the bucket, in the place of old
// ones. The error is AlreadyExists if another container has one.
func (tx *Tx) changeLeases(id string, old, now []Lease) error {
	before, after := keysOf(old), keysOf(now)
	for _, key := range before {
		if slices.Contains(after, key) {
			continue
		}
		var owner string
		if _, err := tx.getJSON(leases, []byte(key), &owner); err != nil {
			return err
		}
		if owner != id {
			continue
		}
		if err := tx.delete(leases, []byte(key)); err != nil {
			return err
		}
	}
	for _, key := range after {
		if slices.Contains(before, key) {
			continue
		}
		if err := tx.claim(leases, "address", key, id); err != nil {
			return err
		}
	}
	return nil
}
