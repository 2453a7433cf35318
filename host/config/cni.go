package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// CNINetwork is a network that plugins of CNI make, programs that others have installed.
type CNINetwork struct {
	// Name is what containers ask for; see [ocispec.ValidateNetworkName].
	Name string `json:"-"`
	// Conflist is the path of the file that lists the plugins. Plugins that can do so (from
	// cniVersion 1.1.0 on) are asked to remove what is of no container of this host. If other
	// programs use the file too, it has to say disableGC.
	Conflist string `json:"conflist"`
	// PluginDirs are searched in order for the programs of plugins. Empty means
	// DefaultPluginDirs.
	PluginDirs []string `json:"plugin_dirs"`

	source *body // nil unless read from files
}

// DefaultPluginDirs returns the default of PluginDirs: where most, Debian and Fedora have them.
func DefaultPluginDirs() []string {
	return []string{"/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"}
}

// At returns the place of the network in the files, or that of an attribute.
func (n *CNINetwork) At(path ...string) diag.Range {
	at, _ := n.source.locate(path...)
	return at
}

// cniSchema declares what a network of plugins may contain.
func cniSchema() executor.Schema {
	return executor.Schema{Attributes: []executor.Attribute{
		{Name: "conflist", Type: executor.String},
		{Name: "plugin_dirs", Type: executor.Strings},
	}}
}

// takeNetworks takes the blocks network "NAME" out of a body. The one without a name has the
// settings of all.
func takeNetworks(b *body, diags *diag.Diagnostics) (networks []CNINetwork, rest *body) {
	rest = &body{at: b.at}
	for _, it := range b.items {
		if it.name != "network" || it.form != block || len(it.labels) == 0 {
			rest.items = append(rest.items, it)
			continue
		}
		if len(it.labels) != 1 {
			diags.Fail(it.at, `write network "NAME" { … }`, "a network has one name, this one has %d", len(it.labels))
			continue
		}
		n := CNINetwork{source: it.value.(*body)}
		fill(&n, decode(cniSchema(), n.source, fmt.Sprintf("network %q", it.labels[0]), diags), it.at, diags)
		n.Name = it.labels[0]
		networks = append(networks, n)
	}
	return networks, rest
}

// cniNetworks checks the networks of plugins, without any I/O.
func (v *validator) cniNetworks(all []CNINetwork) {
	for i := range all {
		n := &all[i]
		if err := ocispec.ValidateNetworkName(n.Name); err != nil {
			v.Fail(n.At(), "", "%v", err)
		} else if n.Name == "default" {
			v.Fail(n.At(), `rename it, and write network = "NAME" in a block defaults if all containers are to have it`, "network %q is one that davit makes itself", n.Name)
		}
		if j := slices.IndexFunc(all, func(o CNINetwork) bool { return o.Name == n.Name }); j < i {
			v.Fail(n.At(), "rename one of them", "network %q is already defined%s", n.Name, atPlace(all[j].At()))
		}
		if n.Conflist == "" {
			v.Fail(n.At("conflist"), `write conflist = "/etc/cni/net.d/….conflist"`, "network %q has no conflist", n.Name)
		}
		paths := map[string][]string{"conflist": {n.Conflist}, "plugin_dirs": n.PluginDirs}
		for _, name := range []string{"conflist", "plugin_dirs"} {
			for _, path := range paths[name] {
				if path != "" && !filepath.IsAbs(path) || strings.ContainsAny(path, "\x00:") {
					v.Fail(n.At(name), "write it from / on", "%s %q of network %q is not an absolute path without a colon", name, path, n.Name)
				}
			}
		}
	}
}
