package config_test

import (
	"reflect"
	"testing"

	"github.com/davit-run/davit/host/config"
)

// TestCNINetworks reads networks of plugins beside the settings of all networks.
func TestCNINetworks(t *testing.T) {
	cfg, diags := config.Parse([]byte(`
network "lan" {
  conflist = "net.d/lan.conflist"
}
network {
  enabled = true
}
network "wan" {
  conflist    = "/etc/cni/net.d/wan.conflist"
  plugin_dirs = ["bin", "/opt/cni/bin"]
}
backend "b" { executor = "shim" }
`), "/etc/davit/davit.hcl")
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	all := cfg.WithDefaults().CNINetworks
	if len(all) != 2 || all[0].Name != "lan" || all[0].Conflist != "/etc/davit/net.d/lan.conflist" || !reflect.DeepEqual(all[0].PluginDirs, config.DefaultPluginDirs()) {
		t.Errorf("got %+v", all)
	} else if want := []string{"/etc/davit/bin", "/opt/cni/bin"}; all[1].Name != "wan" || !reflect.DeepEqual(all[1].PluginDirs, want) || all[1].At("conflist").Line != 9 {
		t.Errorf("got %+v", all[1])
	}
	if cfg.CNINetworks[0].PluginDirs != nil {
		t.Error("defaults are filled in where they were not asked for")
	}
}
