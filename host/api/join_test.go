package api

import (
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/publish"
)

// TestJoinTakesNoOptions refuses what belongs to the network of another container.
func TestJoinTakesNoOptions(t *testing.T) {
	for want, o := range map[string]ContainerOptions{
		"published ports":   {Publish: []publish.Port{{ContainerPort: 80}}},
		"and published":     {PublishAll: true},
		"an address":        {IP6: "fd77::2"},
		"a network alias":   {NetworkAliases: []string{"x"}},
		"a host name":       {Process: ocispec.Options{Hostname: "x"}},
		"name servers":      {DNS: []string{"10.1.2.3"}},
		"or search domains": {DNSSearch: []string{"x"}},
		"hosts for /etc":    {AddHosts: []string{"x:10.1.2.3"}},
	} {
		o.Image, o.Network = "image", "web"
		if err := o.Validate(); err != nil {
			t.Errorf("%s: on a network of its own: %v", want, err)
		}
		o.Network = "container:other"
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "network container:other is that of another container") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	o := ContainerOptions{Image: "image", Network: "container:other"}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}
