package networks

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tables of iptables-legacy are no business of nftables: they are asked for by options of
// a socket. These are the parts of the kernel's structures that are looked at.
const (
	legacyNames   = "/proc/net/ip_tables_names"
	legacyTable   = "filter"
	legacyInfo    = 64 // IPT_SO_GET_INFO
	legacyEntries = 65 // IPT_SO_GET_ENTRIES
	legacyForward = 2  // NF_INET_FORWARD
	legacyTries   = 5  // while others change the table

	entrySize    = 112 // of struct ipt_entry
	entryIn      = 16  // the name of a link there, and that of another
	entryOut     = 32
	entryIPSize  = 84 // what it says of the header of IP, with these names
	entryTarget  = 88 // where its target is
	entryNext    = 90 // where the next one is
	targetName   = 2  // of struct xt_entry_target
	targetNames  = 29
	verdictDrop  = -1 // of struct xt_standard_target: -NF_DROP - 1
	verdictAfter = 32
)

// legacyPoll is how often the table is looked at while ports are published: the kernel tells
// nobody of its changes.
const legacyPoll = 10 * time.Second

// checkLegacy makes the rules for published ports again if iptables-legacy has begun to drop
// what is forwarded, or has stopped.
func (m *Manager) checkLegacy() {
	m.changes.Lock()
	why := m.untranslated[ipv4]
	m.changes.Unlock()
	if drops, err := m.legacyDrops(); err == nil && (drops && len(ipv4.of(m.translations())) > 0 || !drops && why != "") {
		m.Publish()
	}
}

// legacyGetInfo is struct ipt_getinfo.
type legacyGetInfo struct {
	name       [32]byte
	hooks      uint32
	entry      [5]uint32
	underflow  [5]uint32
	entries    uint32
	tableBytes uint32
}

// legacyDrops reports whether the chain FORWARD of iptables-legacy is an obstacle. A table is
// not made by being asked for.
func (m *Manager) legacyDrops() (bool, error) {
	names, err := os.ReadFile(legacyNames)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !slices.Contains(strings.Fields(string(names)), legacyTable) {
		return false, err
	}
	info, table, err := readLegacy()
	if err != nil {
		return false, fmt.Errorf("table %s of iptables-legacy: %w", legacyTable, err)
	}
	return legacyObstacle(table, info.entry[legacyForward], info.underflow[legacyForward], m.bridges), nil
}

// readLegacy returns the table with its entries.
func readLegacy() (info legacyGetInfo, table []byte, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return info, nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	for range legacyTries {
		info = legacyGetInfo{}
		copy(info.name[:], legacyTable)
		if err = getsockopt(fd, legacyInfo, unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info))); err != nil {
			return info, nil, err
		}
		const header = 40 // of struct ipt_get_entries
		buffer := make([]byte, header+int(info.tableBytes))
		copy(buffer, legacyTable)
		binary.NativeEndian.PutUint32(buffer[len(info.name):], info.tableBytes)
		if err = getsockopt(fd, legacyEntries, buffer); !errors.Is(err, unix.EAGAIN) {
			return info, buffer[header:], err
		}
	}
	return info, nil, err
}

// getsockopt asks for an option whose value says what is asked for.
func getsockopt(fd, option int, value []byte) error {
	size := uint32(len(value))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_IP, uintptr(option),
		uintptr(unsafe.Pointer(&value[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return os.NewSyscallError("getsockopt", errno)
	}
	return nil
}

// legacyObstacle reports whether a chain, from its first entry to that of its policy, drops
// what no entry accepts, and none is about links whose names begin with bridges.
func legacyObstacle(table []byte, begin, policy uint32, bridges string) bool {
	drops := legacyEntry(table, policy).drops()
	for at := begin; at < policy; {
		e := legacyEntry(table, at)
		if e == nil || e.about(bridges) {
			return false
		}
		drops = drops || e.matchesAll() && (e.drops() || e.target() == "REJECT")
		next := uint32(binary.NativeEndian.Uint16(e[entryNext:]))
		if next < entrySize {
			return false
		}
		at += next
	}
	return drops
}

// entry is an entry of a table of iptables-legacy, and what follows it.
type entry []byte

// legacyEntry returns an entry of a table, or nil if it does not fit.
func legacyEntry(table []byte, at uint32) entry {
	if uint64(at)+entrySize > uint64(len(table)) {
		return nil
	}
	return table[at:]
}

// about reports whether an entry is for links whose names begin with prefix.
func (e entry) about(prefix string) bool {
	return bytes.HasPrefix(e[entryIn:], []byte(prefix)) || bytes.HasPrefix(e[entryOut:], []byte(prefix))
}

// matchesAll reports whether an entry is for all packets.
func (e entry) matchesAll() bool {
	return binary.NativeEndian.Uint16(e[entryTarget:]) == entrySize && bytes.Trim(e[:entryIPSize], "\x00") == nil
}

// target returns the name of an entry's target, which is empty for verdicts.
func (e entry) target() string {
	at := int(binary.NativeEndian.Uint16(e[entryTarget:])) + targetName
	if at+targetNames > len(e) {
		return "?"
	}
	name, _, _ := bytes.Cut(e[at:at+targetNames], []byte{0})
	return string(name)
}

// drops reports whether an entry drops what it matches. A nil one does not.
func (e entry) drops() bool {
	if e == nil || e.target() != "" {
		return false
	}
	at := int(binary.NativeEndian.Uint16(e[entryTarget:])) + verdictAfter
	return at+word <= len(e) && int32(binary.NativeEndian.Uint32(e[at:])) == verdictDrop
}
