package ports

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/linux"
)

// user returns who uses a port that cannot be bound, for people: " by nginx (pid 4242)". It
// returns "" if that is not known.
func (m *Manager) user(p publish.Port) string {
	if id := m.owner(p); id != "" {
		return " by container " + m.opts.Name(id)
	}
	pid := ownerOf(inodesOf(p))
	if pid == 0 {
		return ""
	}
	stat, err := linux.StatOf(pid)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" by %q (pid %d)", stat.Name, pid)
}

// owner returns the container that has a port, or "".
func (m *Manager) owner(p publish.Port) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.reserved {
		if has(s.ports, p) {
			return id
		}
	}
	for id, h := range m.held {
		if has(h.want.Bound, p) {
			return id
		}
	}
	return ""
}

// has reports whether a port is among bound ones, whatever the address.
func has(bound []publish.Port, p publish.Port) bool {
	for _, b := range bound {
		if b.HostPort == p.HostPort && b.Network() == p.Network() && (b.HostIP == p.HostIP || wild(b.HostIP) || wild(p.HostIP)) {
			return true
		}
	}
	return false
}

func wild(a netip.Addr) bool { return !a.IsValid() || a.IsUnspecified() }

// inodesOf returns the sockets that keep a port from being bound.
func inodesOf(p publish.Port) map[string]bool {
	inodes := map[string]bool{}
	for _, table := range []string{p.Network(), p.Network() + "6"} {
		f, err := os.Open("/proc/self/net/" + table)
		if err != nil {
			continue
		}
		for _, s := range parseSockets(f, p.Network() == publish.TCP) {
			if s.at.Port() == p.HostPort && (wild(s.at.Addr()) || wild(p.HostIP) || s.at.Addr() == p.HostIP) {
				inodes[s.inode] = true
			}
		}
		_ = f.Close()
	}
	return inodes
}

// socket is a line of /proc/net/tcp and the like.
type socket struct {
	at    netip.AddrPort
	inode string
}

// parseSockets reads such a file; of TCP, those that listen.
func parseSockets(r io.Reader, listening bool) (all []socket) {
	const listen = "0A"
	for lines := bufio.NewScanner(r); lines.Scan(); {
		// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …
		f := strings.Fields(lines.Text())
		if len(f) < 10 || listening && f[3] != listen {
			continue
		}
		if at, ok := parseAddress(f[1]); ok {
			all = append(all, socket{at, f[9]})
		}
	}
	return all
}

// parseAddress reads 0100007F:1F90: words of 32 bits in the machine's order, and a port.
func parseAddress(s string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(address)
	n, perr := strconv.ParseUint(port, 16, 16)
	if err != nil || perr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := raw; len(word) > 0; word = word[4:] {
		binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok
}

// ownerOf returns a process that has one of the sockets, or 0.
func ownerOf(inodes map[string]bool) int {
	if len(inodes) == 0 {
		return 0
	}
	pids, _ := linux.PIDs()
	for _, pid := range pids {
		dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			to, err := os.Readlink(filepath.Join(dir, fd.Name()))
			inode, isSocket := strings.CutPrefix(strings.TrimSuffix(to, "]"), "socket:[")
			if err == nil && isSocket && inodes[inode] {
				return pid
			}
		}
	}
	return 0
}
