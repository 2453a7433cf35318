package cli

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
)

// networkHost is a host with networks and nothing else.
type networkHost struct{}

func (networkHost) Networks() ([]api.Network, error) {
	return []api.Network{
		{Name: "web", Labels: map[string]string{"app": "web", "tier": "1"}, Containers: []api.NetworkMember{{ID: "a"}}},
		{Name: "webs", Labels: map[string]string{"app": "web"}},
		{Name: "db"},
	}, nil
}

func (networkHost) CreateNetwork(_ context.Context, o api.NetworkOptions) (api.Network, error) {
	ipv6 := "as the config says"
	if o.IPv6 != nil {
		ipv6 = strconv.FormatBool(*o.IPv6)
	}
	return api.Network{Name: strings.Join([]string{o.Name, o.Subnet, o.Gateway, o.Subnet6, o.Gateway6, ipv6}, ",")}, nil
}

// TestNetworkFamilies sorts subnets and gateways by their family.
func TestNetworkFamilies(t *testing.T) {
	wantLines(t, networkHost{}, map[string]string{
		"network create web":                                                     "web,,,,,as the config says",
		"network create --ipv6 web":                                              "web,,,,,true",
		"network create --ipv6=false --subnet 10.1.2.0/24 web":                   "web,10.1.2.0/24,,,,false",
		"network create --subnet fd77::/64 --gateway fd77::9 web":                "web,,,fd77::/64,fd77::9,as the config says",
		"network create --subnet fd77::/64 --subnet 10.1.2.0/24 web":             "web,10.1.2.0/24,,fd77::/64,,as the config says",
		"network create --subnet 10.1.2.0/24 --subnet x: --gateway 10.1.2.9 web": "web,10.1.2.0/24,10.1.2.9,x:,,as the config says",
	})
	for bad, want := range map[string]string{
		"--subnet 10.1.2.0/24 --subnet 10.1.3.0/24": "a subnet of IPv4 is given twice, 10.1.2.0/24 and 10.1.3.0/24",
		"--gateway fd77::1 --gateway fd77::2":       "a gateway of IPv6 is given twice",
		"--subnet=":                                 "it is empty",
	} {
		if code, _, stderr := against(t, networkHost{}, append([]string{"network", "create", "web"}, strings.Fields(bad)...)...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %s, want %s", bad, code, stderr, want)
		}
	}
}

func TestNetworkFilters(t *testing.T) {
	wantLines(t, networkHost{}, map[string]string{
		"network ls -q":                                "web webs db",
		"network ls -q -f name=eb":                     "web webs",
		"network ls -q -f id=d -f id=webs":             "webs db",
		"network ls -q -f dangling=true":               "webs db",
		"network ls -q --filter dangling=0":            "web",
		"network ls -q -f label=app=web":               "web webs",
		"network ls -q -f label=app=web -f label=tier": "web",
	})
	for _, bad := range []string{"name", "driver=bridge", "dangling=maybe"} {
		if code, _, _ := against(t, networkHost{}, "network", "ls", "-f", bad); code == 0 {
			t.Errorf("-f %s was accepted", bad)
		}
	}
}
