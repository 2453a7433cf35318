package cni

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/cniplugin"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
)

// asHost names the directory of a process that is a host and is to be killed, and the command
// that it has a plugin do.
const asHost, asHostDo = "DAVIT_TEST_CNI_HOST", "DAVIT_TEST_CNI_DO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asHost); dir != "" {
		chain, err := Load(filepath.Join(dir, "lan.conflist"))
		if err != nil {
			panic(err)
		}
		r, a := runner(dir), attachment(dir, chain)
		if os.Getenv(asHostDo) == "ADD" {
			_, err = r.Add(context.Background(), a)
		} else {
			err = r.Del(context.Background(), a)
		}
		panic(err)
	}
	os.Exit(m.Run())
}

const patience = 50 * time.Millisecond

func runner(dir string) *Runner {
	return &Runner{Dir: filepath.Join(dir, "run"), Timeout: wait.Patience, Patience: wait.Patience, Logger: hclog.NewNullLogger()}
}

func attachment(dir string, chain *Chain) Attachment {
	return Attachment{ID: "c", NetNS: "/run/netns/c", IfName: "eth0", Chain: chain, Dirs: []string{filepath.Join(dir, "bin")}}
}

// site is a directory with two plugins.
type site struct {
	*Runner
	dir        string
	first, end *cniplugin.Plugin
	a          Attachment
}

func newSite(t *testing.T, capabilities ...string) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{Runner: runner(dir), dir: dir, first: cniplugin.New(t, dir, "first"), end: cniplugin.New(t, dir, "end")}
	chain, err := Load(cniplugin.Conflist(t, dir, capabilities, s.first, s.end))
	if err != nil {
		t.Fatal(err)
	}
	s.a = attachment(dir, chain)
	return s
}

// TestAddAndDel has plugins told what they declare to take, and DEL given what ADD has
// returned, also if nothing of libcni's files is there any more.
func TestAddAndDel(t *testing.T) {
	s := newSite(t, CapIPs)
	s.a.Args = map[string]any{CapIPs: []string{"10.7.0.2"}, CapMAC: "02:00:00:00:00:01"}
	r, err := s.Add(t.Context(), s.a)
	if err != nil {
		t.Fatal(err)
	}
	s.a.Kept, r.Kept = r.Kept, nil
	want := &Result{
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.7.0.2/24")}, Gateway: netip.MustParseAddr("10.7.0.1"),
		Servers: []string{"10.7.0.53"}, Search: []string{"plugin.example"}, Options: []string{"ndots:2"},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, want %+v", r, want)
	}
	if got := s.first.In("ADD")["runtimeConfig"]; !reflect.DeepEqual(got, map[string]any{CapIPs: []any{"10.7.0.2"}}) {
		t.Errorf("the plugin is told %v", got)
	}
	if env := s.first.Env("ADD"); !strings.Contains(env, "CNI_CONTAINERID=c\n") || !strings.Contains(env, "CNI_NETNS=/run/netns/c\n") || !strings.Contains(env, "CNI_IFNAME=eth0\n") {
		t.Errorf("the plugin has the variables\n%s", env)
	}
	if err := os.RemoveAll(s.Dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context(), s.a); err != nil {
		t.Error(err)
	}
	s.a.NetNS = ""
	if err := s.Del(t.Context(), s.a); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*cniplugin.Plugin{s.first, s.end} {
		for _, command := range []string{"CHECK", "DEL"} {
			if before, _ := p.In(command)["prevResult"].(map[string]any); before["ips"] == nil {
				t.Errorf("%s of %s is given the result %v", command, p.Name, before)
			}
		}
		if p.Calls() != "ADD CHECK DEL" || p.Made() != 0 {
			t.Errorf("%s was called %s and has made %d", p.Name, p.Calls(), p.Made())
		}
	}
	if err := s.Del(t.Context(), s.a); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// TestMisbehaviour has errors name the plugin, and say what it says. Nothing of it runs then.
func TestMisbehaviour(t *testing.T) {
	for mode, want := range map[string]string{
		cniplugin.Hang:    `plugin "first" failed at ADD: it had not ended after 700ms, and was killed`,
		cniplugin.Fail:    `plugin "end" failed at ADD: no address is free; all of 10.7.0.0/24 are taken`,
		cniplugin.Die:     `plugin "end" failed at ADD: exit status 139; it said: "Segmentation fault"`,
		cniplugin.Garbage: `plugin "end" failed at ADD: it printed no result; it said: "well, well"`,
		cniplugin.Endless: `plugin "end" failed at ADD: it printed more than 1048576 bytes`,
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			plugin, timed := s.end, *s.Runner
			if mode == cniplugin.Hang { // any other could take as long on a busy machine
				plugin, timed.Timeout = s.first, 700*time.Millisecond
			}
			plugin.Behave("ADD", mode)
			_, err := timed.Add(t.Context(), s.a)
			if e, ok := errors.AsType[*PluginError](err); !ok || err.Error() != want || e.Plugin != plugin.Name {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if code := executor.CodeOf(err); code != executor.Internal && (mode != cniplugin.Hang || code != executor.DeadlineExceeded) {
				t.Errorf("the code is %s", code)
			}
			if found, _ := linux.FindHolders(filepath.Join(s.Dir, "c", lockFile)); len(found) > 0 {
				t.Errorf("%d processes are left", len(found))
			}
			if err := s.Del(t.Context(), s.a); err != nil || s.first.Made() != 0 {
				t.Errorf("del: %v; %d are left", err, s.first.Made())
			}
		})
	}
}

func TestCanceled(t *testing.T) {
	s := newSite(t)
	s.first.Behave("ADD", cniplugin.Hang)
	ctx, cancel := context.WithCancelCause(t.Context())
	var canceled sync.WaitGroup
	defer canceled.Wait()
	canceled.Go(func() {
		wait.Holds(func() bool { return s.first.Holds("ADD") })
		cancel(errors.New("enough of it"))
	})
	if _, err := s.Add(ctx, s.a); err == nil || !strings.Contains(err.Error(), `plugin "first" failed at ADD: it was ended with the call: enough of it`) {
		t.Errorf("got %v", err)
	}
}

// TestOrphans kills a host while a plugin works. The plugin works on, and whatever the next
// host has a plugin do comes after it; or it is killed, if it does not end.
func TestOrphans(t *testing.T) {
	for _, tt := range []struct{ name, command, mode string }{
		{"add", "ADD", cniplugin.Before}, {"add at its end", "ADD", cniplugin.After},
		{"del", "DEL", cniplugin.Before}, {"add hangs", "ADD", cniplugin.Hang}, {"del hangs", "DEL", cniplugin.Hang},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.first.Behave(tt.command, tt.mode)
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), asHost+"="+s.dir, asHostDo+"="+tt.command)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			wait.Until(t, "the plugin is at work", func() bool { return s.first.Holds(tt.command) })
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			s.first.Behave(tt.command, "")
			if tt.mode == cniplugin.Hang {
				s.Patience = patience
			} else {
				short := *s.Runner
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if err := short.Del(ctx, s.a); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("while the plugin of the killed host works: got %v", err)
				}
				s.first.Go()
			}
			if err := s.Del(t.Context(), s.a); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Add(t.Context(), s.a); err != nil || s.first.Made() != 1 {
				t.Errorf("add: %v; %d are made", err, s.first.Made())
			}
			if err := s.Del(t.Context(), s.a); err != nil || s.first.Made() != 0 {
				t.Errorf("del: %v; %d are left", err, s.first.Made())
			}
			if found, _ := linux.FindHolders(filepath.Join(s.Dir, "c", lockFile)); len(found) > 0 {
				t.Errorf("%d processes are left", len(found))
			}
		})
	}
}

// TestGC asks plugins of a version that knows it, unless the list forbids it.
func TestGC(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"cniVersion": "1.1.0", "name": "lan", "plugins": [{"type": "first"}]}`, "GC"},
		{`{"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "first"}]}`, ""},
		{`{"cniVersion": "1.1.0", "disableGC": true, "name": "lan", "plugins": [{"type": "first"}]}`, ""},
	} {
		s := newSite(t)
		chain, err := Parse([]byte(tt.text))
		if err == nil {
			err = s.GC(t.Context(), chain, s.a.Dirs, []Attached{{"c", "eth0"}})
		}
		if err != nil || s.first.Calls() != tt.want {
			t.Errorf("%s: %v; the plugin was called %s", tt.text, err, s.first.Calls())
		}
		if tt.want != "" {
			if got := s.first.In("GC")["cni.dev/valid-attachments"]; !reflect.DeepEqual(got, []any{map[string]any{"containerID": "c", "ifname": "eth0"}}) {
				t.Errorf("the plugin is given %v", got)
			}
		}
		if ids, err := s.IDs(); len(ids) > 0 || err != nil {
			t.Errorf("left are %v, %v", ids, err)
		}
	}
}
