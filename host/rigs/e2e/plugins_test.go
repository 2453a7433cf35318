package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/cniplugin"
)

// pluginSite is a host with a network lan, which Debian's bridge makes, and before that a
// plugin that is told of ports and aliases.
func pluginSite(t *testing.T) (s *site, plugin *cniplugin.Plugin, conflist string) {
	t.Helper()
	need(t, "/usr/lib/cni/bridge", "/usr/lib/cni/host-local")
	ownNetwork(t)
	dir := t.TempDir()
	plugin = cniplugin.New(t, dir, "teller")
	conflist = filepath.Join(dir, "lan.conflist")
	text := `{ "cniVersion": "1.0.0", "name": "lan", "plugins": [
		{ "type": "teller", "capabilities": { "portMappings": true, "aliases": true } },
		{ "type": "bridge", "bridge": "dvtestlan", "isGateway": true, "dns": { "nameservers": [ "10.207.0.53" ], "search": [ "lan.example" ] },
			"ipam": { "type": "host-local", "dataDir": "` + dir + `/ipam", "subnet": "10.207.0.0/24" } } ] }`
	if err := os.WriteFile(conflist, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s = newSite(t, fmt.Sprintf("network \"lan\" {\n  conflist = %q\n  plugin_dirs = [%q, \"/usr/lib/cni\"]\n}\n", conflist, plugin.Bin), "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	return s, plugin, conflist
}

// leases returns the addresses that host-local has given.
func leases(conflist string) (addresses []string) {
	all, _ := filepath.Glob(filepath.Join(filepath.Dir(conflist), "ipam/lan/10.*"))
	for _, path := range all {
		addresses = append(addresses, filepath.Base(path))
	}
	return addresses
}

// TestPluginNetwork has containers on a network of plugins, over kills of the host and restarts,
// and with the list of plugins gone.
func TestPluginNetwork(t *testing.T) {
	s, plugin, conflist := pluginSite(t)
	httpd := []string{"--rootfs", rootfs, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc"}
	run := func(args ...string) string {
		t.Helper()
		return s.must(append(append([]string{"run", "-d", "--network", "lan"}, args...), httpd...)...)
	}
	web := run("--name", "web", "-p", "127.0.0.1::80", "--network-alias", "www")
	other := run("--name", "other")
	address := s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web")
	told := func() map[string]any {
		t.Helper()
		told, _ := plugin.In("DEL")["runtimeConfig"].(map[string]any) // that of web, whatever came after its ADD
		return told
	}
	reached := func(when string) {
		t.Helper()
		address := s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web")
		s.waitFor(when+", the machine reaches web", func() bool { return get(address) == short(web) })
		for name, want := range map[string]string{"web": short(web), "www": short(web), "other": short(other)} {
			s.waitFor(when+", other reaches "+name, func() bool {
				r := s.run("exec", "other", "busybox", "wget", "-qO-", "http://"+name+"/hostname")
				return r.code == 0 && strings.TrimSpace(r.stdout) == want
			})
		}
		published, _, _ := strings.Cut(s.must("port", "web", "80"), "\n")
		fetch(t, published, "hostname").finish([]byte(short(web) + "\n"))
	}
	reached("at first")
	if got := s.must("exec", "web", "cat", "/etc/resolv.conf"); got != "search lan.example\nnameserver 10.207.0.53" {
		t.Errorf("web has the resolv.conf\n%s", got)
	}
	if got := s.must("network", "ls", "--filter", "name=lan"); !strings.Contains(got, "lan    cni      -        -        -       2") {
		t.Errorf("networks are\n%s", got)
	}
	s.must("restart", "-t", "0", "web")
	s.kill()
	if err := os.RemoveAll(filepath.Join(s.dir, "run/cni")); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.waitBackend("shim")
	reached("under the next host")
	if got := s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web"); got != address {
		t.Errorf("after a restart web has the address %s, and had %s", got, address)
	}

	// Nothing leads to ports that others may have.
	_, port, _ := net.SplitHostPort(s.must("port", "web", "80"))
	s.must("stop", "-t", "0", "web")
	if got := fmt.Sprint(told()["portMappings"], told()["aliases"]); got != "[map[containerPort:80 hostIP:127.0.0.1 hostPort:"+port+" protocol:tcp]] [www]" {
		t.Errorf("the plugin is told %s", got)
	}
	if got := leases(conflist); len(got) != 1 || plugin.Made() != 1 {
		t.Errorf("with web stopped, %v are leased, and %d are made", got, plugin.Made())
	}
	s.must("start", "web")
	reached("after a stop")

	s.kill()
	if err := os.Remove(conflist); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.waitBackend("shim")
	if r := s.runRootfs("--network", "lan", "true"); r.code != 125 || !strings.Contains(r.stderr, "network lan (") || !strings.Contains(r.stderr, conflist+": no such file") {
		t.Errorf("without the list of plugins: %+v", r)
	}
	s.must("restart", "-t", "0", "other")
	s.must("rm", "-f", "web", "other")
	s.pluginsLeftNothing(plugin, conflist)
}

// pluginsLeftNothing checks that plugins have taken back all that they have made, but the
// bridge, which no plugin takes back.
func (s *site) pluginsLeftNothing(plugin *cniplugin.Plugin, conflist string) {
	s.t.Helper()
	s.waitFor("no links are left", func() bool { return len(links(s.t)) == 0 || strings.Join(links(s.t), " ") == "dvtestlan" })
	if got := leases(conflist); len(got) > 0 || plugin.Made() > 0 {
		s.t.Errorf("%v are leased, and %d are made", got, plugin.Made())
	}
	for _, dir := range []string{"run/netns", "run/cni"} {
		if left, err := os.ReadDir(filepath.Join(s.dir, dir)); len(left) > 0 || err != nil {
			s.t.Errorf("left is in %s: %v, %v", dir, left, err)
		}
	}
}

// TestFailingPlugins has plugins fail when a container starts, and when it is removed.
func TestFailingPlugins(t *testing.T) {
	s, plugin, conflist := pluginSite(t)
	plugin.Behave("ADD", cniplugin.Fail)
	if r := s.runRootfs("--rm", "--network", "lan", "true"); r.code != 125 || !strings.Contains(r.stderr, `network lan: plugin "teller" failed at ADD: no address is free; all of 10.7.0.0/24 are taken`) {
		t.Errorf("a plugin that fails: %+v", r)
	}
	plugin.Behave("DEL", cniplugin.Die)
	if r := s.runRootfs("--rm", "--network", "lan", "true"); r.code != 125 || !strings.Contains(r.stderr, "no address is free") {
		t.Errorf("a plugin that fails twice: %+v", r)
	}
	plugin.Behave("ADD", "")
	plugin.Behave("DEL", "")
	s.waitFor("it is removed once the plugin does not fail", func() bool { return s.must("ps", "-aq") == "" })
	s.pluginsLeftNothing(plugin, conflist)

	for _, how := range [][]string{{"rm", "-f", "h"}, {"stop", "-t", "0", "h"}} {
		plugin.Behave("ADD", cniplugin.Hang)
		cmd := s.command("run", "--name", "h", "--network", "lan", "--rootfs", rootfs, "true")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.waitFor("the plugin hangs", func() bool { return plugin.Holds("ADD") })
		s.must(how...)
		if err := cmd.Wait(); err == nil {
			t.Errorf("%v: the container was started", how)
		}
	}
	if got := s.must("ps", "-a", "--format", "{{.Names}} {{.State}}"); got != "h failed" {
		t.Errorf("after a stop while a plugin hung there is %q", got)
	}
	s.must("rm", "h")
	s.pluginsLeftNothing(plugin, conflist)
	plugin.Behave("ADD", "")

	for _, name := range []string{"a", "b"} {
		s.must("run", "--name", name, "--network", "lan", "--rootfs", rootfs, "true")
	}
	plugin.Behave("DEL", cniplugin.Fail)
	if r := s.run("rm", "a"); r.code != 1 || !strings.Contains(r.stderr, `plugin "teller" failed at DEL: no address is free`) || !strings.Contains(r.stderr, "it is tried again, and davit rm --force removes the container without it") {
		t.Errorf("removal while a plugin fails: %+v", r)
	}
	s.must("rm", "-f", "b")
	if got := s.must("ps", "-a", "--format", "{{.Names}}"); got != "a" {
		t.Errorf("after a removal by force there is %q", got)
	}
	if got := s.must("events", "--filter", "event=removed", "--json"); !strings.Contains(got, `"left":"network lan: plugin \"teller\" failed at DEL`) {
		t.Errorf("the events of removals are\n%s", got)
	}
	plugin.Behave("DEL", "")
	s.waitFor("a is removed once the plugin does not fail", func() bool { return s.must("ps", "-aq") == "" })
	if plugin.Made() != 1 {
		t.Errorf("%d are made, of which one was left by force", plugin.Made())
	}
}
