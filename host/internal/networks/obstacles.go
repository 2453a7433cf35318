package networks

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/shared/executor"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Obstacles returns what keeps packets of containers from each other, or from more than this
// machine: chains of other tools that drop what is forwarded unless a rule of theirs accepts
// it. That the host's own rules accept it makes no difference to them. Chains with a rule about
// the host's bridges are none: somebody has seen to it. A host that may not look has no networks,
// and is told so.
func (m *Manager) Obstacles() (diag.Diagnostics, error) {
	if !m.enabled {
		return nil, nil
	}
	found, err := m.droppingChains()
	if errors.Is(err, unix.EPERM) {
		return diag.Diagnostics{{Severity: executor.SeverityWarning, Message: explain("networks", err).Error()}}, nil
	}
	if err != nil {
		return nil, explain("chains of nftables", err)
	}
	var diags diag.Diagnostics
	for _, chain := range found {
		diags = append(diags, diag.Diagnostic{
			Severity: executor.SeverityWarning,
			Message:  fmt.Sprintf("chain %s of the nftables table %s %s drops what is forwarded and no rule of it accepts, so that containers may not reach each other or more than this machine; published ports work", chain.Name, family(chain.Table), chain.Table.Name),
			Hint:     "to have it accept what davit forwards, run " + m.remedy(chain),
		})
	}
	return diags, nil
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

// droppingChains returns the chains that are obstacles.
func (m *Manager) droppingChains() (found []*nftables.Chain, err error) {
	c, err := nftables.New()
	if err != nil {
		return nil, err
	}
	for _, f := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyINet} {
		all, err := c.ListChainsOfTableFamily(f)
		if err != nil {
			return nil, err
		}
		for _, chain := range all {
			forward := chain.Hooknum != nil && *chain.Hooknum == *nftables.ChainHookForward
			if !forward || chain.Policy == nil || *chain.Policy != nftables.ChainPolicyDrop {
				continue
			}
			rules, err := c.GetRules(chain.Table, chain)
			if err != nil {
				return nil, err
			}
			if !m.about(rules) {
				found = append(found, chain)
			}
		}
	}
	return found, nil
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

// remedy returns the commands by which a chain accepts what goes into and out of the networks.
// Those of iptables are changed with it: it cannot show what it would not have written.
func (m *Manager) remedy(chain *nftables.Chain) string {
	if chain.Table.Family == nftables.TableFamilyIPv4 && chain.Table.Name == "filter" && chain.Name == "FORWARD" {
		return fmt.Sprintf("`iptables -I FORWARD -i %s+ -j ACCEPT` and `iptables -I FORWARD -o %s+ -j ACCEPT`", m.bridges, m.bridges)
	}
	command := func(direction string) string {
		return fmt.Sprintf("`nft insert rule %s %s %s %s '\"%s*\"' accept`", family(chain.Table), chain.Table.Name, chain.Name, direction, m.bridges)
	}
	return command("iifname") + " and " + command("oifname")
}

// family returns how nft calls the family of a table.
func family(t *nftables.Table) string {
	if t.Family == nftables.TableFamilyINet {
		return "inet"
	}
	return "ip"
}
