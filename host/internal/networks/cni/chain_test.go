package cni

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/cniplugin"
)

// TestBadLists says what is wrong with a list, and where.
func TestBadLists(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.conflist")
	for name, tt := range map[string]struct{ text, want string }{
		"empty":          {"", "line 1: it is not a JSON object: unexpected end of JSON input"},
		"no JSON":        {"{\n  \"name\": \"x\",\n  plugins\n}", "line 3: it is not a JSON object: invalid character 'p'"},
		"no object":      {"[]", "it is not a JSON object"},
		"one plugin":     {`{"cniVersion": "1.0.0", "name": "x", "type": "bridge"}`, "it is the configuration of one plugin; write a list"},
		"no name":        {`{"cniVersion": "1.0.0", "plugins": [{"type": "bridge"}]}`, "no name"},
		"bad name":       {`{"cniVersion": "1.0.0", "name": "../x", "plugins": [{"type": "bridge"}]}`, `its name "../x" is not allowed`},
		"no version":     {`{"name": "x", "plugins": [{"type": "bridge"}]}`, "it has no cniVersion"},
		"no such":        {`{"cniVersion": "one", "name": "x", "plugins": [{"type": "bridge"}]}`, `its cniVersion "one" is not a version`},
		"newer":          {`{"cniVersion": "9.0.0", "name": "x", "plugins": [{"type": "bridge"}]}`, "its cniVersion is 9.0.0, and the newest that is known is 1.1.0"},
		"no plugins":     {`{"cniVersion": "1.0.0", "name": "x"}`, "it has no plugins"},
		"an empty list":  {`{"cniVersion": "1.0.0", "name": "x", "plugins": []}`, "no plugins in list"},
		"without a type": {`{"cniVersion": "1.0.0", "name": "x", "plugins": [{}]}`, "missing 'type'"},
	} {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	if err := os.WriteFile(path, make([]byte, MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("a large file is read")
	}
	if err := os.Chmod(path, 0o666); err != nil { //nolint:gosec // that is the fault
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "written") {
		t.Errorf("a file that all may write: got %v", err)
	}
}

// TestPluginsInFiles reads plugins from the directory beside a list. What is kept has them.
func TestPluginsInFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.conflist")
	err := os.WriteFile(path, []byte(`{"cniVersion": "1.1.0", "name": "lan", "plugins": [{"type": "a"}]}`), 0o600)
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "lan"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "lan", "1.conf"), []byte(`{"type": "b", "capabilities": {"ips": true}}`), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err == nil {
		c, err = Parse(c.Text())
	}
	if err != nil || len(c.list.Plugins) != 2 || c.list.Plugins[1].Network.Type != "b" || !c.Has(CapIPs) || c.Has(CapMAC) {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	p := cniplugin.New(t, dir, "first")
	c, err := Parse([]byte(`{"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": "first", "ipam": {"type": "lease"}}, {"type": "first"}, {"type": "../first"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	missing := c.Missing([]string{"/nowhere", p.Bin})
	if len(missing) != 2 || missing[0].Error() != `plugin "lease": there is no such program in /nowhere or `+p.Bin+`; install it, or name its directory as one of plugin_dirs` {
		t.Errorf("got %v", missing)
	}
}
