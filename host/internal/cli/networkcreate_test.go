package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
)

// createHost keeps what it is asked to make.
type createHost struct{ got *api.NetworkOptions }

func (h createHost) CreateNetwork(_ context.Context, opts api.NetworkOptions) (api.Network, error) {
	*h.got = opts
	return api.Network{Name: opts.Name}, nil
}

func TestNetworkMTU(t *testing.T) {
	for args, want := range map[string]int{
		"": 0, "--mtu 1400": 1400, "-o com.docker.network.driver.mtu=1280": 1280, "--opt com.docker.network.driver.mtu=9000": 9000,
	} {
		var got api.NetworkOptions
		code, _, stderr := against(t, createHost{&got}, append(append([]string{"network", "create"}, strings.Fields(args)...), "web")...)
		if code != 0 || got.MTU != want {
			t.Errorf("%q: got %d, %+v, %s", args, code, got, stderr)
		}
	}
	for args, want := range map[string]string{
		"--mtu x": "not a number of bytes", "--mtu 0": "not a number of bytes", "--mtu -5": "not a number of bytes",
		"-o com.docker.network.driver.mtu":       "not a number of bytes",
		"-o com.docker.network.bridge.name=br0":  "is not known; there is com.docker.network.driver.mtu=BYTES",
		"--opt com.docker.network.driver.mtu=1k": "not a number of bytes",
	} {
		var got api.NetworkOptions
		code, _, stderr := against(t, createHost{&got}, append(append([]string{"network", "create"}, strings.Fields(args)...), "web")...)
		if code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%q: got %d, %s, want %s", args, code, stderr, want)
		}
	}
}
