package cli

import (
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
