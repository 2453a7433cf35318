package ocispec_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestNetworkModes gives a container a network namespace of its own, one at a path, or the
// machine's, for which there are no sysctls.
func TestNetworkModes(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	for network, want := range map[string]*specs.LinuxNamespace{
		"":             {Type: "network"},
		"private":      {Type: "network"},
		"host":         nil,
		"/run/netns/a": {Type: "network", Path: "/run/netns/a"},
	} {
		spec := fromRootfs(t, rootfs, ocispec.Options{Network: network, Sysctls: map[string]string{"kernel.shmmax": "1"}})
		i := slices.IndexFunc(spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == "network" })
		switch {
		case want == nil && i >= 0, want != nil && (i < 0 || spec.Linux.Namespaces[i] != *want):
			t.Errorf("network %q: namespaces are %+v, want %+v", network, spec.Linux.Namespaces, want)
		}
		if asked := spec.Annotations[executor.AnnotationNetwork]; (asked == executor.NetworkAlone) != (network == "private") {
			t.Errorf("network %q: the spec says %q was asked for", network, asked)
		}
		_, port := spec.Linux.Sysctl["net.ipv4.ip_unprivileged_port_start"]
		if port != (network != "host") || spec.Linux.Sysctl["kernel.shmmax"] != "1" {
			t.Errorf("network %q: sysctls are %v", network, spec.Linux.Sysctl)
		}
	}
	for want, o := range map[string]ocispec.Options{
		"not an absolute path":                   {Network: "netns/a"},
		"is the machine's own with network host": {Network: "host", Sysctls: map[string]string{"net/core/somaxconn": "1"}},
	} {
		o.Args = []string{"sh"}
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", o, err, want)
		}
	}
}

func TestValidateNetworkName(t *testing.T) {
	for _, name := range []string{"a", "web.1", "Web_2-x", strings.Repeat("a", 64), "default"} {
		if err := ocispec.ValidateNetworkName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "none", "host", "user", "container", "container:a", ".a", "-a", "a/b", "a b", "\u00fc", strings.Repeat("a", 65)} {
		if err := ocispec.ValidateNetworkName(name); err == nil {
			t.Errorf("%q is allowed", name)
		}
	}
}
