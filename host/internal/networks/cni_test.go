package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/networks/cni"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/rigs/cniplugin"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// pluginNetwork is a network of a directory that a plugin makes.
func pluginNetwork(dir string) CNI {
	return CNI{Name: "lan", Conflist: filepath.Join(dir, "lan.conflist"), Dirs: []string{filepath.Join(dir, "bin")}, At: diag.Range{File: "davit.hcl", Line: 3, Column: 5}}
}

// pluginSite is a host with a network that a plugin makes.
type pluginSite struct {
	*Manager
	t      *testing.T
	dir    string
	plugin *cniplugin.Plugin
	done   func()
}

func newPluginSite(t *testing.T, capabilities ...string) *pluginSite {
	t.Helper()
	need(t)
	s := &pluginSite{t: t, dir: t.TempDir()}
	s.plugin = cniplugin.New(t, s.dir, "first")
	cniplugin.Conflist(t, s.dir, capabilities, s.plugin)
	s.open(pluginNetwork(s.dir))
	return s
}

// open opens the host, and waits until it has looked at what an earlier one has left.
func (s *pluginSite) open(networks ...CNI) {
	s.t.Helper()
	var err error
	if s.Manager, s.done, err = openDir(s.dir, networks...); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.done)
	s.wg.Wait()
}

// record returns the record of a container.
func (m *Manager) record(t *testing.T, id string) (c *store.Container) {
	t.Helper()
	err := m.store.View(func(tx *store.Tx) (err error) {
		c, err = tx.Container(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// is records in which state a container is.
func (m *Manager) is(t *testing.T, id string, state store.State) {
	t.Helper()
	_, err := m.change(id, func(_ *store.Tx, c *store.Container) error { c.State = state; return nil })
	if err != nil {
		t.Fatal(err)
	}
}

// drop removes a container with what plugins have made for it.
func (s *pluginSite) drop(id string) {
	s.t.Helper()
	if err := errors.Join(s.Release(s.t.Context(), s.record(s.t, id)), s.remove(id)); err != nil {
		s.t.Error(err)
	}
	if made := s.plugin.Made(); made > 0 {
		s.t.Errorf("the plugin has made %d still", made)
	}
	if ids, err := s.plugins.runner.IDs(); len(ids) > 0 || err != nil {
		s.t.Errorf("left are files of %v, %v", ids, err)
	}
	s.checkNothing(s.t)
}

// TestPlugins takes a container through its life on a network that a plugin makes, of which the
// file is gone in the end, with all that is in the run directory.
func TestPlugins(t *testing.T) {
	s := newPluginSite(t)
	c, err := s.create("c", "lan", "")
	if err != nil || c.Leases[0].Address.IsValid() {
		t.Fatalf("got %+v, %v", c, err)
	}
	for range 2 {
		if err := s.Up(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	address := netip.MustParseAddr("10.7.0.2")
	now := s.record(t, "c")
	if now.Leases[0].Address != address || s.plugin.Calls() != "ADD" {
		t.Errorf("the container has %+v after %s", now.Leases, s.plugin.Calls())
	}
	if n, err := s.Inspect("lan"); err != nil || n.Driver != "cni" || len(n.Containers) != 1 || n.Containers[0].Address != address {
		t.Errorf("inspect: got %+v, %v", n, err)
	}
	if gateway, err := s.Gateway(now); err != nil || gateway.String() != "10.7.0.1" {
		t.Errorf("gateway: got %v, %v", gateway, err)
	}
	if servers, search, options := s.Resolver(now); fmt.Sprint(servers, search, options) != "[10.7.0.53] [plugin.example] [ndots:2]" {
		t.Errorf("resolver: got %v %v %v", servers, search, options)
	}
	s.refusals()
	if _, err := s.join("j", "c"); err != nil {
		t.Fatal(err)
	}

	// The next host has neither the network nor anything but the store and the namespace.
	s.done()
	if err := errors.Join(os.Remove(pluginNetwork(s.dir).Conflist), os.RemoveAll(filepath.Join(s.dir, "cni"))); err != nil {
		t.Fatal(err)
	}
	s.open()
	if err := s.Up(t.Context(), s.record(t, "c")); err != nil || s.plugin.Calls() != "ADD CHECK" {
		t.Errorf("the next host: %v after %s", err, s.plugin.Calls())
	}
	if err := errors.Join(s.Release(t.Context(), s.record(t, "c")), s.remove("c")); err != nil || s.plugin.Made() != 1 {
		t.Errorf("while another container has the namespace: %v, %d are made", err, s.plugin.Made())
	}
	s.drop("j")
	if before, _ := s.plugin.In("DEL")["prevResult"].(map[string]any); before["ips"] == nil || !strings.Contains(s.plugin.Env("DEL"), "CNI_NETNS="+s.Path("c")) {
		t.Errorf("DEL is given the result %v, and\n%s", before, s.plugin.Env("DEL"))
	}
}

// refusals asks for what cannot be had of a network of plugins.
func (s *pluginSite) refusals() {
	t := s.t
	t.Helper()
	_, taken := s.create("other", "lan", "10.7.0.9")
	_, made := s.Create(t.Context(), api.NetworkOptions{Name: "lan"})
	_, connected := s.connect("c", "lan", "")
	_, disconnected := s.disconnect("c", "lan")
	for want, err := range map[string]error{
		"no plugin of network lan (" + pluginNetwork(s.dir).Conflist + ") takes one: none has the capability ips": taken,
		"network lan is in the config, and cannot be made by a command":                                           made,
		"network lan is in the config, and cannot be removed by a command":                                        s.Remove(t.Context(), "lan"),
		"network lan is in the config, and a container is on it from when it is made":                             connected,
		"container name-c has network lan, which is in the config, until it is removed":                           disconnected,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if pruned, err := s.Prune(t.Context(), api.PruneNetworksOptions{}); len(pruned) > 0 || err != nil {
		t.Errorf("pruned are %v, %v", pruned, err)
	}
}

// TestPluginsFail has a container without a network after a plugin has failed, and with one
// when it does not any more.
func TestPluginsFail(t *testing.T) {
	s := newPluginSite(t, cni.CapIPs)
	c, err := s.create("c", "lan", "10.7.0.3")
	if err != nil {
		t.Fatal(err)
	}
	fails := func(want string) {
		t.Helper()
		if err := s.Up(t.Context(), s.record(t, "c")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	s.plugin.Behave("ADD", cniplugin.Fail)
	fails(`network lan: plugin "first" failed at ADD: no address is free`)
	s.plugin.Behave("ADD", "")
	fails("the plugins have given the addresses [10.7.0.2/24], and 10.7.0.3 was asked for")
	if now := s.record(t, "c"); len(now.Attachments) > 0 || now.Leases[0].Address != c.Leases[0].Want || s.plugin.Made() > 0 {
		t.Errorf("after that the container has %+v and %+v", now.Leases, now.Attachments)
	}
	s.plugin.Behave("ADD", cniplugin.Garbage)
	s.plugin.Behave("DEL", cniplugin.Fail)
	fails("it printed no result")
	s.plugin.Behave("ADD", "")
	fails(`what was made of it before: plugin "first" failed at DEL`)
	s.plugin.Behave("DEL", "")
	s.plugin.Gives("10.7.0.3/24")
	if err := s.Up(t.Context(), c); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(s.plugin.In("ADD")["runtimeConfig"]); got != "map[ips:[10.7.0.3]]" {
		t.Errorf("the plugin is told %s", got)
	}

	d, err := s.create("d", "lan", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Up(t.Context(), d); executor.CodeOf(err) != executor.AlreadyExists || !strings.Contains(err.Error(), "10.7.0.3, which container c has") || s.plugin.Made() != 1 {
		t.Errorf("with the address of another: got %v, and %d are made", err, s.plugin.Made())
	}
	if err := s.remove("d"); err != nil {
		t.Error(err)
	}
	s.plugin.Behave("DEL", cniplugin.Die)
	if err := s.Release(t.Context(), s.record(t, "c")); err == nil || !strings.Contains(err.Error(), `network lan: plugin "first" failed at DEL: exit status 139; it said: "Segmentation fault"`) {
		t.Errorf("release: got %v", err)
	}
	s.plugin.Behave("DEL", "")
	s.drop("c")
}

// TestPluginsCheck has plugins asked by the next host. What they find damaged is made again,
// but not under a container that runs: its next start does it.
func TestPluginsCheck(t *testing.T) {
	s := newPluginSite(t)
	c := s.run(t, "c", "lan")
	s.plugin.Behave("CHECK", cniplugin.Fail)
	next := func(state store.State, want string) {
		t.Helper()
		s.is(t, "c", state)
		s.done()
		s.open(pluginNetwork(s.dir))
		if got := s.plugin.Calls(); got != want {
			t.Errorf("the plugin was called %s, want %s", got, want)
		}
	}
	next(store.Released, "ADD CHECK DEL ADD")
	next(store.Running, "ADD CHECK DEL ADD CHECK")
	found, err := s.Obstacles()
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Message, `container name-c on network lan: plugin "first" failed at CHECK`) {
		t.Errorf("found is %v, %v", found, err)
	}
	s.is(t, "c", store.Creating)
	if err := s.Up(t.Context(), c); err != nil || s.plugin.Calls() != "ADD CHECK DEL ADD CHECK DEL ADD" {
		t.Errorf("its next start: %v after %s", err, s.plugin.Calls())
	}

	// The namespace is gone, as after the machine was restarted.
	s.done()
	if err := unpin(s.Path("c")); err != nil {
		t.Fatal(err)
	}
	s.open(pluginNetwork(s.dir))
	if now := s.record(t, "c"); now.Leases[0].Address.IsValid() || s.plugin.Made() > 0 || !strings.Contains(s.plugin.Env("DEL"), "CNI_NETNS=\n") {
		t.Errorf("after a restart of the machine it has %+v, %d are made, and DEL is given\n%s", now.Leases, s.plugin.Made(), s.plugin.Env("DEL"))
	}
	if err := s.Up(t.Context(), c); err != nil {
		t.Error(err)
	}
	s.drop("c")
}

// pluginsDir names the directory of a process that is to be killed while a plugin works.
const pluginsDir = "DAVIT_TEST_PLUGINS"

// plug makes the network of a container, if it has none, and else takes it back.
func plug(dir string) {
	m, _, err := openDir(dir, pluginNetwork(dir))
	if err == nil {
		m.wg.Wait()
		var c *store.Container
		c, err = m.create("c", "lan", "")
		if err == nil {
			err = m.Up(context.Background(), c)
		} else if verr := m.store.View(func(tx *store.Tx) (err error) { c, err = tx.Container("c"); return err }); verr == nil {
			err = m.Release(context.Background(), c)
		}
	}
	fmt.Fprintln(os.Stderr, "was not killed:", err)
	os.Exit(1)
}

// TestPluginsKilled kills the host while a plugin works, before it has made something and
// after. The plugin lives on. The next host goes on, and nothing is left in the end.
func TestPluginsKilled(t *testing.T) {
	runtime.LockOSThread() // the death signal is that of the thread
	defer runtime.UnlockOSThread()
	for _, command := range []string{"ADD", "DEL"} {
		for _, mode := range []string{cniplugin.Before, cniplugin.After} {
			t.Run(command+" "+mode, func(t *testing.T) {
				s := newPluginSite(t)
				if command == "DEL" {
					s.run(t, "c", "lan")
				}
				s.done()
				s.plugin.Behave(command, mode)
				cmd := exec.Command("/proc/self/exe")
				cmd.Env = append(os.Environ(), pluginsDir+"="+s.dir)
				cmd.Stderr = os.Stderr
				cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				wait.Until(t, "the plugin is at work", func() bool { return s.plugin.Holds(command) })
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait()
				s.plugin.Behave(command, "")
				before := s.plugin.Calls()
				s.plugin.Go()
				s.open(pluginNetwork(s.dir))
				if made := s.plugin.Made(); command == "ADD" && (made > 0 || len(s.record(t, "c").Attachments) > 0) {
					t.Errorf("%d are made for a container that was not started", made)
				}
				if calls := strings.TrimPrefix(s.plugin.Calls(), before); strings.Contains(calls, "CHECK") {
					t.Errorf("the plugin is asked about what it has not made, or has begun to take back: %s", calls)
				}
				if command == "ADD" {
					if err := s.Up(t.Context(), s.record(t, "c")); err != nil || s.plugin.Made() != 1 {
						t.Errorf("its start: %v; %d are made", err, s.plugin.Made())
					}
				}
				s.drop("c")
			})
		}
	}
}

// TestMissingPlugins refuses containers on networks that plugins cannot make, and says why.
func TestMissingPlugins(t *testing.T) {
	s := newPluginSite(t)
	_, none := s.create("c", "wan", "")
	list, err := os.ReadFile(pluginNetwork(s.dir).Conflist)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) error {
		if err := os.WriteFile(pluginNetwork(s.dir).Conflist, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.create("c", "lan", "")
		found, ferr := s.Obstacles()
		if ferr != nil || len(found) != 1 || found[0].Range.Line != 3 {
			t.Errorf("found is %+v, %v", found, ferr)
		}
		return err
	}
	broken := write("{\n")
	missing := write(strings.Replace(string(list), `"first"`, `"second"`, 1))
	old := write(strings.Replace(string(list), `"1.0.0"`, `"0.3.1"`, 1)) // which only the plugin can say
	for want, err := range map[string]error{
		`no network "wan"; there are none, host, user, default, lan;`:             none,
		"network lan (davit.hcl:3,5): conflist: " + pluginNetwork(s.dir).Conflist: broken,
		`network lan (davit.hcl:3,5): plugin "second": there is no such`:          missing,
		"<nil>": old,
	} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestDebianPlugins has a bridge and addresses of plugins that others have written.
func TestDebianPlugins(t *testing.T) {
	need(t)
	const bin = "/usr/lib/cni"
	if _, err := os.Stat(filepath.Join(bin, "bridge")); err != nil {
		if os.Getenv("DAVIT_REQUIRE_REAL") == "1" {
			t.Fatal(err)
		}
		t.Skip("needs the package containernetworking-plugins: ", err)
	}
	dir := t.TempDir()
	text := `{"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "bridge", "bridge": "dvtestplug", "isGateway": true, "ipam": {
		"type": "host-local", "dataDir": "` + dir + `/ipam", "subnet": "10.207.0.0/24"}, "capabilities": {"ips": true}}, {"type": "tuning"}]}`
	if err := os.WriteFile(pluginNetwork(dir).Conflist, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n := pluginNetwork(dir)
	n.Dirs = []string{bin}
	m, done, err := openDir(dir, n)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	leases := func() (all []string) {
		all, _ = filepath.Glob(filepath.Join(dir, "ipam/lan/10.*"))
		return all
	}
	m.run(t, "a", "lan")
	b, err := m.create("b", "lan", "10.207.0.9")
	if err == nil {
		err = m.Up(t.Context(), b)
	}
	if err != nil {
		t.Fatal(err)
	}
	port, stop := serve(t, m.Path("b"))
	if got, err := ask(m.Path("a"), b.Leases[0].Address, port, long); got != "10.207.0.2" || err != nil {
		t.Errorf("b sees a as %q, %v", got, err)
	}
	stop()
	if found, err := m.Obstacles(); len(found) > 0 || err != nil {
		t.Errorf("found is %v, %v", found, err)
	}
	if got := leases(); len(got) != 2 {
		t.Errorf("the leases are %v", got)
	}
	done()
	if m, done, err = openDir(dir); err != nil { // the config has it no more
		t.Fatal(err)
	}
	defer done()
	for _, id := range []string{"a", "b"} {
		if err := errors.Join(m.Release(t.Context(), m.record(t, id)), m.remove(id)); err != nil {
			t.Error(err)
		}
	}
	if got := leases(); len(got) > 0 {
		t.Errorf("the leases are %v", got)
	}
	if err := removeBridge("dvtestplug"); err != nil {
		t.Error(err)
	}
	m.checkNothing(t)
}
