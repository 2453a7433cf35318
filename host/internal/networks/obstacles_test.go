package networks

import (
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// TestForwardDrop finds the chains of other tools that drop what containers send.
func TestForwardDrop(t *testing.T) {
	need(t)
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	drop, accept := nftables.ChainPolicyDrop, nftables.ChainPolicyAccept
	table := c.AddTable(&nftables.Table{Name: "filter", Family: nftables.TableFamilyIPv4})
	inet := c.AddTable(&nftables.Table{Name: "firewall", Family: nftables.TableFamilyINet})
	chain := func(table *nftables.Table, name string, hook *nftables.ChainHook, policy *nftables.ChainPolicy) *nftables.Chain {
		return c.AddChain(&nftables.Chain{Name: name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter, Policy: policy})
	}
	forward := chain(table, "FORWARD", nftables.ChainHookForward, &drop)
	chain(table, "INPUT", nftables.ChainHookInput, &drop)
	chain(inet, "forward", nftables.ChainHookForward, &drop)
	chain(inet, "other", nftables.ChainHookForward, &accept)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.DelTable(table)
		c.DelTable(inet)
		if err := c.Flush(); err != nil {
			t.Error(err)
		}
	})

	m, log := openLogged(t, t.TempDir())
	check := func(want ...string) {
		t.Helper()
		found, err := m.Obstacles()
		if err != nil || len(found) != len(want) {
			t.Fatalf("got %v, %v\nwant %q", found, err, want)
		}
		for i, d := range found {
			if !strings.Contains(d.String(), want[i]) {
				t.Errorf("got %s\nwant %s", d, want[i])
			}
		}
	}
	const inetHint = `chain forward of the nftables table inet firewall drops what is forwarded`
	check("run `iptables -I FORWARD -i dvtestn+ -j ACCEPT` and `iptables -I FORWARD -o dvtestn+ -j ACCEPT`", inetHint)
	check("chain FORWARD of the nftables table ip filter", "`nft insert rule inet firewall forward iifname '\"dvtestn*\"' accept`")
	if log.String() != "" {
		t.Errorf("there are no networks, and the log says %s", log)
	}
	m.run(t, "c", "default")
	m.run(t, "d", "default")
	if n := strings.Count(log.String(), inetHint); n != 1 {
		t.Errorf("the log says it %d times:\n%s", n, log)
	}

	c.AddRule(&nftables.Rule{Table: table, Chain: forward, Exprs: concat(meta(expr.MetaKeyIIFNAME),
		[]expr.Any{&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte(m.bridges)}}, verdict(expr.VerdictAccept))})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	check(inetHint)

	// That of IPv6 is one if a network has that.
	six := c.AddTable(&nftables.Table{Name: "filter", Family: nftables.TableFamilyIPv6})
	chain(six, "FORWARD", nftables.ChainHookForward, &drop)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.DelTable(six)
		if err := c.Flush(); err != nil {
			t.Error(err)
		}
	})
	check(inetHint)
	on := true
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "six", IPv6: &on}); err != nil {
		t.Fatal(err)
	}
	check(inetHint, "run `ip6tables -I FORWARD -i dvtestn+ -j ACCEPT` and `ip6tables")
	m.removeAll(t)
	m.checkNothing(t)
}
