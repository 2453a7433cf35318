package api

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/rigs/wait"
)

func TestReload(t *testing.T) {
	want := Reload{Changes: []ReloadChange{
		{What: "backend main", Action: ReloadRestarted, Detail: "config", Place: diag.Range{File: "/x.hcl", Line: 3, Column: 1}, Problem: "it is down"},
		{What: "state_dir", Action: ReloadLater},
	}}
	c, _ := serveFake(t, &fake{reload: func(context.Context) (Reload, error) { return want, nil }})
	got, err := c.Reload(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for i, want := range []string{"backend main: restarted (config), /x.hcl:3,1; it is down", "state_dir: needs a restart of the host"} {
		if got := got.Changes[i].String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestRegroup changes who may connect, also to a socket that is made again.
func TestRegroup(t *testing.T) {
	name, gid := group(t)
	run := filepath.Join(shortDir(t), "run")
	path := filepath.Join(run, "davit.sock")
	l, err := Listen(socketIn(run))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		group     string
		mode      os.FileMode
		gid       int
		directory os.FileMode
	}{{name, 0o660, gid, 0o750}, {"", 0o600, os.Getegid(), 0o750}, {name, 0o660, gid, 0o750}} {
		if err := Regroup(l, c.group); err != nil {
			t.Fatal(err)
		}
		wantMode(t, path, c.mode, c.gid)
		wantMode(t, run, c.directory, gid)
		before := l.(*listener).now()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		wait.Until(t, "the socket is there again", func() bool { return l.(*listener).now() != before })
		wantMode(t, path, c.mode, c.gid)
	}
	if CheckGroup("nobody-like-that") == nil || Regroup(l, "nobody-like-that") == nil {
		t.Error("a group that is not there: got no error")
	}
	wantMode(t, path, 0o660, gid)
	plain, err := net.Listen("unix", filepath.Join(run, "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if Regroup(plain, "daemon") == nil {
		t.Error("a socket of somebody else: got no error")
	}
}
