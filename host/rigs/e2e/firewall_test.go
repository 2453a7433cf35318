package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// TestFirewall has another tool drop what is forwarded, and then remove what the host has
// made.
func TestFirewall(t *testing.T) {
	need(t)
	ownNetwork(t)
	c, err := nftables.New(nftables.AsLasting())
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseLasting()
	drop := nftables.ChainPolicyDrop
	table := c.AddTable(&nftables.Table{Name: "filter", Family: nftables.TableFamilyIPv4})
	c.AddChain(&nftables.Chain{Name: "FORWARD", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &drop})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	id := s.must("run", "-d", "--name", "web", "--network", "default", "--rootfs", rootfs, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc")
	address := s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web")
	s.waitFor("the machine reaches it", func() bool { return get(address) == short(id) })
	said := func(text string) bool {
		log, err := os.ReadFile(filepath.Join(s.dir, "log"))
		return err == nil && strings.Contains(string(log), text)
	}
	const found = "chain FORWARD of the nftables table ip filter drops what is forwarded"
	if !said(found) {
		t.Error("the log does not say what the firewall drops")
	}
	if r := s.run("validate", "--live", "-c", s.config); r.code != 0 || !strings.Contains(r.stderr, found) || !strings.Contains(r.stderr, "iptables -I FORWARD -i dv") {
		t.Errorf("validate --live: got %+v", r)
	}

	c.FlushRuleset()
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	s.waitFor("the rules that were flushed are there again", func() bool {
		all, err := c.ListTablesOfFamily(nftables.TableFamilyIPv4)
		return err == nil && len(all) == 1 && strings.HasPrefix(all[0].Name, "davit_")
	})
	if r := s.run("validate", "--live", "-c", s.config); r.code != 0 || strings.Contains(r.stderr, found) {
		t.Errorf("validate --live without that firewall: got %+v", r)
	}
	bridge, err := netlink.LinkByName(s.must("network", "inspect", "-f", "{{.bridge}}", "default"))
	if err == nil {
		err = netlink.LinkDel(bridge)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.waitFor("the machine reaches it by a new bridge", func() bool { return get(address) == short(id) })
	if !said("another program has removed what networks need") {
		t.Error("the log does not say what was removed")
	}
	s.must("rm", "-f", "web")
	s.must("network", "prune", "-f")
	s.waitFor("no links are left", func() bool { return len(links(t)) == 0 })
}
