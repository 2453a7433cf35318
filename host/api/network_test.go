package api

import (
	"context"
	"strings"
	"testing"
)

// TestNetworkCalls passes calls on to the host, and the answers back.
func TestNetworkCalls(t *testing.T) {
	var asked []string
	c, _ := serveFake(t, &fake{network: func(_ context.Context, what string) ([]Network, error) {
		asked = append(asked, what)
		return []Network{{Name: "web"}}, nil
	}})
	ctx := t.Context()
	if list, err := c.Networks(ctx); err != nil || len(list) != 1 {
		t.Errorf("list: got %v, %v", list, err)
	}
	if found, err := c.CheckNetworks(ctx); err != nil || len(found) != 1 || found[0].Message != "closed" {
		t.Errorf("check: got %v, %v", found, err)
	}
	if n, err := c.InspectNetwork(ctx, "web"); err != nil || n.Name != "web" {
		t.Errorf("inspect: got %v, %v", n, err)
	}
	if n, err := c.CreateNetwork(ctx, NetworkOptions{Name: "web", Subnet: "10.1.0.0/24", Subnet6: "fd77::/64", Internal: true, MTU: 1280}); err != nil || n.Name != "web" {
		t.Errorf("create: got %v, %v", n, err)
	}
	if err := c.ConnectNetwork(ctx, "web", "c", ConnectOptions{IP: "10.1.0.9", IP6: "fd77::9", Aliases: []string{"a", "b"}}); err != nil {
		t.Errorf("connect: %v", err)
	}
	if err := c.DisconnectNetwork(ctx, "web", "c", DisconnectOptions{Force: true}); err != nil {
		t.Errorf("disconnect: %v", err)
	}
	if err := c.RemoveNetwork(ctx, "web"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if list, err := c.PruneNetworks(ctx, PruneNetworksOptions{DryRun: true}); err != nil || len(list) != 1 {
		t.Errorf("prune: got %v, %v", list, err)
	}
	want := "list|check|inspect web|create {web 10.1.0.0/24  <nil> fd77::/64  true 1280 map[]}|connect web c {10.1.0.9 fd77::9 [a b]}|disconnect web c {true}|remove web|prune {true}"
	if got := strings.Join(asked, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
