package containers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/internal/networks"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/usernet"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// etcDir returns the directory of a container's files for /etc, which is beside its
// output. The executor finds it by its end, ID/etc, which is part of the contract with
// package honoured.
func (m *Manager) etcDir(id string) string {
	return filepath.Join(m.outputs.ContainerDir(id), "etc")
}

// makeEtc makes the files for /etc that a container's spec mounts. Those that exist stay
// as they are: the container may have changed them. Containers of one network namespace have
// the same ones.
func (m *Manager) makeEtc(c *store.Container, spec json.RawMessage) error {
	unlock, err := m.etcs.Lock(context.WithoutCancel(m.ctx), c.NetNS())
	if err != nil {
		return err
	}
	defer unlock()
	if c.Joined != "" {
		err = m.shareEtc(c, spec)
	} else {
		err = m.writeEtc(c, spec)
	}
	if err != nil {
		return executor.ExplainDisk(m.etcDir(c.ID), executor.Errorf(executor.Unavailable, "files for /etc of %s: %w", c.ID, err))
	}
	return nil
}

// writeEtc writes the files for /etc that a container lacks.
func (m *Manager) writeEtc(c *store.Container, spec json.RawMessage) error {
	names, hostname, err := m.etcOf(c.ID, spec)
	if err != nil || len(names) == 0 {
		return err
	}
	if hostname == "" { // the machine's own
		hostname, _ = os.Hostname()
	}
	dir := m.etcDir(c.ID)
	err = os.MkdirAll(dir, 0o700)
	for _, name := range names {
		if err == nil {
			err = writeNew(filepath.Join(dir, name), func() (string, error) { return m.etcFile(name, hostname, c) })
		}
	}
	return err
}

// etcOf returns which files for /etc a spec mounts, and its host name.
func (m *Manager) etcOf(id string, spec json.RawMessage) (names []string, hostname string, err error) {
	var read struct {
		Hostname string `json:"hostname"`
		Mounts   []struct {
			Source string `json:"source"`
		} `json:"mounts"`
	}
	if err := json.Unmarshal(spec, &read); err != nil {
		return nil, "", err
	}
	dir := m.etcDir(id)
	for _, mount := range read.Mounts {
		if name := filepath.Base(mount.Source); filepath.Dir(mount.Source) == dir && slices.Contains(ocispec.EtcFiles(), name) {
			names = append(names, name)
		}
	}
	return names, read.Hostname, nil
}

// etcFile returns what a file below /etc says in a container at first.
func (m *Manager) etcFile(name, hostname string, c *store.Container) (string, error) {
	switch name {
	case "hostname":
		return hostname + "\n", nil
	case "hosts":
		return m.firstHosts(hostname, c)
	case "resolv.conf":
		text, _ := os.ReadFile("/etc/resolv.conf") // a machine may have none
		switch {
		case networks.IsUser(c):
			text = append(bytes.TrimSuffix(remoteServers(text, false), []byte("\n")), "\nnameserver "+usernet.Server().String()+"\n"...)
		case len(c.Leases) > 0:
			text = remoteServers(text, hasIPv6(c))
		}
		names := c.Names
		servers, search, options := m.networks.Resolver(c)
		if len(names.Servers) == 0 && len(servers) > 0 {
			names.Servers = servers
			if len(names.Search) == 0 {
				names.Search = search
			}
			return resolvConf(optionLine(options), names), nil
		}
		return resolvConf(string(text), names), nil
	}
	return "", nil
}

// noAddress is that of the own name of a container that has no other.
const noAddress = "127.0.1.1"

// firstHosts returns /etc/hosts without the containers of the networks.
func (m *Manager) firstHosts(hostname string, c *store.Container) (string, error) {
	const local = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
	var b strings.Builder
	b.WriteString(local)
	address, address6, _, ok := m.networks.Reach(c)
	if !ok {
		address = netip.MustParseAddr(noAddress)
	}
	for _, own := range []netip.Addr{address, address6} { // for programs that ask for their own address
		if own.IsValid() {
			fmt.Fprintf(&b, "%s\t%s\n", own, hostname)
		}
	}
	for _, line := range c.Names.Hosts {
		name, address, _ := strings.Cut(line, ":")
		if address == hostGateway {
			gateway, err := m.networks.Gateway(c)
			if err != nil {
				return "", err
			}
			address = gateway.String()
		}
		fmt.Fprintf(&b, "%s\t%s\n", strings.Trim(address, "[]"), name)
	}
	return b.String(), nil
}

// optionLine returns the options of a resolv.conf.
func optionLine(options []string) string {
	if len(options) == 0 {
		return ""
	}
	return "options " + strings.Join(options, " ") + "\n"
}

// resolvConf returns /etc/resolv.conf, with what a container has in the place of what the
// machine has.
func resolvConf(text string, n store.Names) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		replaced := word == "nameserver" && len(n.Servers) > 0 || (word == "search" || word == "domain") && len(n.Search) > 0
		if !replaced {
			b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	if len(n.Search) > 0 && !slices.Equal(n.Search, []string{"."}) {
		b.WriteString("search " + strings.Join(n.Search, " ") + "\n")
	}
	for _, server := range n.Servers {
		b.WriteString("nameserver " + server + "\n")
	}
	return b.String()
}

// hasIPv6 reports whether a container has an address of IPv6.
func hasIPv6(c *store.Container) bool {
	return slices.ContainsFunc(c.Leases, func(l store.Lease) bool { return l.Address6.IsValid() })
}

// remoteServers returns a resolv.conf without the name servers that only the machine itself
// reaches, and without those of IPv6 for a container that has none. If there are no others,
// those are it that systemd's own server asks.
func remoteServers(text []byte, ipv6 bool) []byte {
	kept, found := reachable(string(text), ipv6)
	if !found {
		if behind, err := os.ReadFile("/run/systemd/resolve/resolv.conf"); err == nil {
			if other, found := reachable(string(behind), ipv6); found {
				kept = other
			}
		}
	}
	return []byte(kept)
}

// reachable removes the name servers on the loopback and on links of the machine, and those of
// IPv6 unless ipv6 is true, and reports whether there are others.
func reachable(text string, ipv6 bool) (kept string, found bool) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "nameserver" {
			if a, err := netip.ParseAddr(words[1]); err == nil && (a.Unmap().IsLoopback() || a.Zone() != "" || a.Unmap().Is6() && !ipv6) {
				continue
			}
			found = true
		}
		b.WriteString(line)
	}
	return b.String(), found
}

// writeNew writes a file that every user may read, whole or not at all, unless there is
// one.
func writeNew(path string, content func() (string, error)) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := content()
	if err != nil {
		return err
	}
	return replaceFile(path, text)
}

// replaceFile writes a file that every user may read, whole or not at all.
func replaceFile(path, text string) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
