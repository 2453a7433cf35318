package networks

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/publish"
	"golang.org/x/sys/unix"
)

// A translation is what the kernel does with a published port: packets from elsewhere that
// go to it get the container's address as their destination, and keep their source.
type translation struct {
	protocol byte       // of IP
	host     netip.Addr // not valid for all addresses of the machine
	port     uint16
	to       netip.AddrPort
}

// protocols has the numbers of the protocols of ports.
var protocols = map[string]byte{publish.TCP: unix.IPPROTO_TCP, publish.UDP: unix.IPPROTO_UDP}

// Publish makes the rules for published ports what the records say. It is called after each
// change of what [Options.Serves] returns, or of the first address of a container that
// publishes ports. What goes wrong is logged: the ports are served without rules too.
func (m *Manager) Publish() {
	if !m.enabled {
		return
	}
	m.changes.Lock()
	defer m.changes.Unlock()
	wanted, err := m.wantTranslations()
	if err == nil && !slices.Equal(wanted, m.translations()) {
		err = m.declareRules()
	}
	if err != nil {
		m.logger.Warn("published ports have no rules of nftables; containers see an address of this machine as that of all clients", "error", err)
	}
}

// declareRules replaces the table by what the records say, in one transaction of nftables.
// Where the kernel does not know what translations need, they are left out. The caller has
// changes.
func (m *Manager) declareRules() error {
	wanted, err := m.wantTranslations()
	if err != nil {
		return err
	}
	if err = m.replaceTable(wanted); err != nil && len(wanted) > 0 {
		terr := err
		wanted = nil
		if err = m.replaceTable(nil); err == nil {
			m.logger.Warn("the kernel refuses rules for published ports; containers see an address of this machine as that of all clients", "error", terr)
		}
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	before := m.translated
	m.translated = wanted
	m.mu.Unlock()
	m.flushTranslated(before, wanted)
	return nil
}

// translations returns the translations that there are.
func (m *Manager) translations() []translation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.translated
}

// wantTranslations returns the translations that there have to be, sorted: those to containers
// whose ports a process holds, if they can arrive. The caller has changes.
func (m *Manager) wantTranslations() ([]translation, error) {
	var published []*store.Container
	err := m.store.View(func(tx *store.Tx) error {
		containers, err := tx.Containers()
		if err != nil {
			return err
		}
		for _, c := range containers {
			if !c.Publishes() || len(c.Leases) == 0 || len(c.Ports) == 0 || !m.serves(c.ID) {
				continue
			}
			n, err := tx.Network(c.Leases[0].Network)
			if err != nil {
				return err
			}
			if !n.Internal { // which nothing enters
				published = append(published, c)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []translation
	for _, f := range families {
		all = append(all, m.wantOf(f, published)...)
	}
	slices.SortFunc(all, translation.compare)
	return all, nil
}

// wantOf returns the translations of a family that there have to be. The caller has changes.
func (m *Manager) wantOf(f *family, published []*store.Container) (all []translation) {
	for _, c := range published {
		all = append(all, f.translations(c)...)
	}
	if len(all) == 0 {
		delete(m.untranslated, f)
		return nil
	}
	why := m.whyNot(f)
	if why != "" && m.untranslated[f] != why {
		m.logger.Info("published ports are served without rules of nftables; containers see an address of this machine as that of all clients", "reason", why)
	}
	if m.untranslated[f] = why; why != "" {
		return nil
	}
	return all
}

// whyNot says why packets that are translated would not arrive, or returns "".
func (m *Manager) whyNot(f *family) string {
	if !f.forwards() {
		return f.forwarding + " is 0"
	}
	found, err := m.droppingChains()
	if err != nil {
		return "whether another firewall drops what is forwarded is not known: " + err.Error()
	}
	for _, o := range found {
		if !o.translated && o.concerns(f) {
			return fmt.Sprintf("%s drops what is forwarded", o)
		}
	}
	return ""
}

// forwards reports whether the machine forwards packets, as far as it is known.
func (f *family) forwards() bool {
	now, err := os.ReadFile(f.forwarding)
	return err != nil || !bytes.HasPrefix(now, []byte("0"))
}

// translations returns what a container publishes in a family.
func (f *family) translations(c *store.Container) (all []translation) {
	target := f.address(c.Leases[0])
	if !target.IsValid() {
		return nil
	}
	for _, p := range c.Ports {
		host := p.HostIP
		switch {
		case !host.IsValid():
		case host.Is4() != f.is4 || host.IsLoopback():
			continue
		case host.IsUnspecified():
			host = netip.Addr{}
		}
		all = append(all, translation{protocols[p.Network()], host, p.HostPort, netip.AddrPortFrom(target, p.ContainerPort)})
	}
	return all
}

// compare orders translations.
func (t translation) compare(other translation) int {
	if n := t.host.Compare(other.host); n != 0 {
		return n
	}
	if n := bytes.Compare(t.key(), other.key()); n != 0 {
		return n
	}
	return t.to.Compare(other.to)
}

// of returns the translations of a family.
func (f *family) of(all []translation) (some []translation) {
	for _, t := range all {
		if t.to.Addr().Is4() == f.is4 {
			some = append(some, t)
		}
	}
	return some
}
