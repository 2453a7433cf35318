package storm

import (
	"fmt"
	"os"

	"github.com/davit-run/davit/shared/linux"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ownNetwork is a network namespace that a site has for itself. A nil one is the machine's.
type ownNetwork struct{ file *os.File }

// newNetwork makes a network namespace with a loopback.
func newNetwork() (*ownNetwork, error) {
	var made *ownNetwork
	err := linux.KeepNetNS(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			return err
		}
		f, err := os.Open(linux.NetNS)
		made = &ownNetwork{f}
		return err
	})
	return made, err
}

// within calls a function that uses the network: sockets that it makes itself, and programs
// that it starts.
func (n *ownNetwork) within(fn func() error) error {
	if n == nil {
		return fn()
	}
	return linux.KeepNetNS(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return fn()
	})
}

func (n *ownNetwork) close() error {
	if n == nil {
		return nil
	}
	return n.file.Close()
}

// links returns the names of all links but the loopback, by what they are.
func (n *ownNetwork) links() (by map[string][]string, err error) {
	by = map[string][]string{}
	err = n.within(func() error {
		all, err := netlink.LinkList()
		for _, l := range all {
			if l.Attrs().Name != "lo" {
				by[l.Type()] = append(by[l.Type()], l.Attrs().Name)
			}
		}
		return err
	})
	return by, err
}

// rules describes what there is of nftables, without the numbers that change.
func (n *ownNetwork) rules() (text string, err error) {
	err = n.within(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := c.ListTables()
		if err != nil {
			return err
		}
		for _, t := range tables {
			text += fmt.Sprintf("table %s\n", t.Name)
		}
		chains, err := c.ListChains()
		if err != nil {
			return err
		}
		for _, chain := range chains {
			rules, err := c.GetRules(chain.Table, chain)
			if err != nil {
				return err
			}
			text += fmt.Sprintf("chain %s of table %s with %d rules\n", chain.Name, chain.Table.Name, len(rules))
		}
		return nil
	})
	return text, err
}

// flush removes all rules, as a firewall that is loaded anew does.
func (n *ownNetwork) flush() error {
	return n.within(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		c.FlushRuleset()
		return c.Flush()
	})
}
