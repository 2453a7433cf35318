package networks

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Obstacles returns what keeps packets of containers from each other, or from more than this
// machine: chains of other tools that drop what is forwarded unless a rule of theirs accepts
// it. That the host's own rules accept it makes no difference to them. Chains with a rule about
// the host's bridges are none: somebody has seen to it.
func (m *Manager) Obstacles() (diag.Diagnostics, error) {
	if !m.enabled {
		return nil, nil
	}
	found, err := m.droppingChains()
	if err != nil {
		return nil, explain("chains of other firewalls", err)
	}
	diags, err := m.notForwarding(ipv4)
	if err != nil {
		return nil, err
	}
	for _, chain := range found {
		ports := "; published ports work"
		if !chain.translated {
			ports += ", and containers see an address of this machine as that of all clients"
		}
		diags = append(diags, diag.Diagnostic{
			Severity: executor.SeverityWarning,
			Message:  fmt.Sprintf("%s drops what is forwarded and no rule of it accepts, so that containers may not reach each other or more than this machine%s", chain, ports),
			Hint:     "to have it accept what davit forwards, run " + chain.remedy,
		})
	}
	return diags, nil
}

// notForwarding says so if the machine does not forward what containers send.
func (m *Manager) notForwarding(f *family) (diag.Diagnostics, error) {
	var all []*store.Network
	err := m.store.View(func(tx *store.Tx) (err error) { all, err = tx.Networks(); return err })
	if err != nil || f.forwards() || !slices.ContainsFunc(all, func(n *store.Network) bool { return !n.Internal }) {
		return nil, err
	}
	return diag.Diagnostics{{
		Severity: executor.SeverityWarning,
		Message:  fmt.Sprintf("this machine does not forward packets (%s is 0), so that containers reach no more than it; published ports work, and containers see an address of this machine as that of all clients", f.forwarding),
		Hint:     "to have it forward them, run `sysctl -w net.ipv4.ip_forward=1`",
	}}, nil
}

// logObstacles logs what Obstacles returns.
func (m *Manager) logObstacles() {
	found, err := m.Obstacles()
	if err != nil {
		m.logger.Debug("whether another firewall drops what containers send is not known", "error", err)
	}
	for _, d := range found {
		m.logger.Warn(d.Message, "hint", d.Hint)
	}
}

// An obstacle is a chain that drops what is forwarded.
type obstacle struct {
	name   string // as messages call it
	remedy string // the commands by which it accepts what goes into and out of the networks
	// translated means that it accepts packets whose destination was translated.
	translated bool
	// only is the family that it is about; nil means all.
	only *family
}

// concerns reports whether an obstacle is about a family.
func (o obstacle) concerns(f *family) bool { return o.only == nil || o.only == f }

func (o obstacle) String() string { return o.name }

// droppingChains returns the chains that are obstacles.
func (m *Manager) droppingChains() (found []obstacle, err error) {
	c, err := nftables.New()
	if err != nil {
		return nil, err
	}
	families := []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyINet}
	if six, err := m.hasTable(nftables.TableFamilyIPv6); six && err == nil {
		families = append(families, nftables.TableFamilyIPv6)
	}
	for _, f := range families {
		all, err := c.ListChainsOfTableFamily(f)
		if err != nil {
			return nil, err
		}
		for _, chain := range all {
			forward := chain.Hooknum != nil && *chain.Hooknum == *nftables.ChainHookForward
			if !forward || chain.Table.Name == m.table {
				continue
			}
			rules, err := c.GetRules(chain.Table, chain)
			if err != nil {
				return nil, err
			}
			drops := chain.Policy != nil && *chain.Policy == nftables.ChainPolicyDrop || len(rules) > 0 && dropsAll(rules[len(rules)-1])
			if drops && !m.about(rules) {
				o := obstacle{
					name:   fmt.Sprintf("chain %s of the nftables table %s %s", chain.Name, familyName(chain.Table), chain.Table.Name),
					remedy: m.remedy(chain), translated: slices.ContainsFunc(rules, acceptsTranslated),
				}
				if f == nftables.TableFamilyIPv4 {
					o.only = ipv4
				}
				found = append(found, o)
			}
		}
	}
	legacy, err := m.legacyDrops()
	if legacy {
		found = append(found, obstacle{name: "chain FORWARD of iptables-legacy", remedy: m.iptablesRemedy("iptables-legacy"), only: ipv4})
	}
	return found, err
}

// about reports whether rules compare something with the names of the host's bridges.
func (m *Manager) about(rules []*nftables.Rule) bool {
	for _, r := range rules {
		for _, e := range r.Exprs {
			if c, ok := e.(*expr.Cmp); ok && bytes.HasPrefix(c.Data, []byte(m.bridges)) {
				return true
			}
		}
	}
	return false
}

// dropsAll reports whether a rule drops or rejects whatever gets to it.
func dropsAll(r *nftables.Rule) bool {
	for _, e := range r.Exprs {
		switch e := e.(type) {
		case *expr.Counter, *expr.Log:
		case *expr.Verdict:
			return e.Kind == expr.VerdictDrop
		case *expr.Target: // of iptables
			return e.Name == "REJECT"
		case *expr.Reject:
			return true
		default:
			return false
		}
	}
	return false
}

// acceptsTranslated reports whether a rule accepts packets whose destination was translated, as
// firewalld has one.
func acceptsTranslated(r *nftables.Rule) bool {
	const destination = 1 << 5 // IPS_DST_NAT
	status, ok := false, false
	for _, e := range r.Exprs {
		switch e := e.(type) {
		case *expr.Ct:
			if status = e.Key == expr.CtKeySTATUS; !status {
				return false
			}
		case *expr.Bitwise:
			ok = len(e.Mask) == word && binary.NativeEndian.Uint32(e.Mask)&destination != 0
		case *expr.Cmp, *expr.Counter:
		case *expr.Verdict:
			return status && ok && e.Kind == expr.VerdictAccept
		default:
			return false
		}
	}
	return false
}

// remedy returns the commands by which a chain accepts what goes into and out of the networks.
// Those of iptables are changed with it: it cannot show what it would not have written.
func (m *Manager) remedy(chain *nftables.Chain) string {
	if chain.Table.Family != nftables.TableFamilyINet && chain.Table.Name == "filter" && chain.Name == "FORWARD" {
		program := map[nftables.TableFamily]string{nftables.TableFamilyIPv4: "iptables", nftables.TableFamilyIPv6: "ip6tables"}[chain.Table.Family]
		return m.iptablesRemedy(program)
	}
	command := func(direction string) string {
		return fmt.Sprintf("`nft insert rule %s %s %s %s '\"%s*\"' accept`", familyName(chain.Table), chain.Table.Name, chain.Name, direction, m.bridges)
	}
	return command("iifname") + " and " + command("oifname")
}

func (m *Manager) iptablesRemedy(program string) string {
	return fmt.Sprintf("`%s -I FORWARD -i %s+ -j ACCEPT` and `%s -I FORWARD -o %s+ -j ACCEPT`", program, m.bridges, program, m.bridges)
}

// familyName returns how nft calls the family of a table.
func familyName(t *nftables.Table) string {
	switch t.Family {
	case nftables.TableFamilyINet:
		return "inet"
	case nftables.TableFamilyIPv6:
		return "ip6"
	}
	return "ip"
}
