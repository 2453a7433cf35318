package networks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// recoverParallel bounds the containers whose networks are made again at once.
const recoverParallel = 8

// recover makes what the records say, except namespaces that are gone: the next start of
// their containers makes them. It removes what no record names, unless records are missing.
func (m *Manager) recover(ctx context.Context) error {
	var all []*store.Network
	var containers []*store.Container
	err := m.store.View(func(tx *store.Tx) error {
		var nerr, cerr error
		all, nerr = tx.Networks()
		containers, cerr = tx.Containers()
		return errors.Join(nerr, cerr)
	})
	if err != nil {
		return err
	}
	var errs []error
	if !m.store.Info().Incomplete() {
		errs = append(errs, m.sweep(all, containers))
	}
	m.changes.Lock()
	if len(all) > 0 {
		errs = append(errs, m.declare(all...))
		if !m.store.Info().Incomplete() {
			m.flushStale(all, containers)
		}
	}
	m.changes.Unlock()
	if err := errors.Join(errs...); err != nil {
		return explain("networks", err)
	}
	return m.upAll(ctx, containers)
}

// upAll does what Up does for the containers that have a namespace.
func (m *Manager) upAll(ctx context.Context, containers []*store.Container) error {
	var wg sync.WaitGroup
	slots := make(chan struct{}, recoverParallel)
	for _, c := range containers {
		if len(c.Leases) == 0 && !c.Unconnected || !pinned(m.Path(c.NetNS())) || ctx.Err() != nil {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := m.upIf(c, func() bool { return pinned(m.Path(c.NetNS())) }); err != nil {
				m.logger.Error("the network of a container was not made again; its next start tries it", "container", c.ID, "error", err)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// sweep removes the namespaces of containers that have no record, and the bridges and the
// table if no network has them.
func (m *Manager) sweep(all []*store.Network, containers []*store.Container) error {
	has := map[string]bool{}
	for _, c := range containers {
		if len(c.Leases) > 0 || c.Unconnected || c.Joined != "" {
			has[c.NetNS()] = true
		}
	}
	for _, n := range all {
		has[n.Bridge] = true
	}
	entries, err := os.ReadDir(m.dir)
	errs := []error{err}
	for _, e := range entries {
		if !has[e.Name()] {
			errs = append(errs, unpin(m.Path(e.Name())))
		}
	}
	links, err := netlink.LinkList()
	errs = append(errs, err)
	for _, l := range links {
		if name := l.Attrs().Name; m.ownBridge(name) && !has[name] {
			errs = append(errs, removeBridge(name))
		}
	}
	if len(all) == 0 {
		// Where there is no nftables, or no right to it, there is no table either.
		there, err := m.hasRules()
		if there6, err6 := m.hasTable(nftables.TableFamilyIPv6); there && err == nil || there6 && err6 == nil {
			errs = append(errs, m.declareRules())
		}
	}
	return errors.Join(errs...)
}

// declare makes what the containers of networks share. The caller has changes.
func (m *Manager) declare(all ...*store.Network) error {
	for _, n := range all {
		if err := declareBridge(n); err != nil {
			return fmt.Errorf("bridge %s of network %s: %w", n.Bridge, n.Name, err)
		}
	}
	if err := m.declareRules(); err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(n *store.Network) bool { return !n.Internal }) {
		m.forward()
	}
	if slices.ContainsFunc(all, func(n *store.Network) bool { return has6(n) && !n.Internal }) {
		m.forward6()
	}
	if why := lacksIPv6(); why != "" && slices.ContainsFunc(all, func(n *store.Network) bool { return n.Subnet6.IsValid() }) {
		m.logLack(why)
	}
	m.checkSysctls()
	m.sayObstacles.Do(m.logObstacles)
	return nil
}

// ensure does what declare does, if something is missing.
func (m *Manager) ensure(n *store.Network) error {
	m.changes.Lock()
	defer m.changes.Unlock()
	link, err := find(n.Bridge)
	if err != nil {
		return err
	}
	there, err := m.hasRules()
	if err == nil && there && has6(n) {
		there, err = m.hasTable(nftables.TableFamilyIPv6)
	}
	if err != nil {
		return err
	}
	if link != nil && there {
		return nil
	}
	return m.declare(n)
}

// forward turns on the forwarding of IPv4, which is off on most machines.
func (m *Manager) forward() {
	const path = "/proc/sys/net/ipv4/ip_forward"
	now, err := os.ReadFile(path)
	if err == nil && bytes.HasPrefix(now, []byte("0")) {
		if err = os.WriteFile(path, []byte("1"), 0); err == nil {
			m.logger.Info("forwarding of IPv4 was off and is on now, so that containers reach more than this machine", "file", path)
		}
	}
	if err != nil {
		m.logger.Warn("forwarding of IPv4 cannot be turned on, so containers reach no further than this machine; run sysctl -w net.ipv4.ip_forward=1", "error", err)
	}
}
