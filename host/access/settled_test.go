package access

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
)

// TestPaths: where a path leads decides, and nobody else may be able to change that.
func TestPaths(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	// The directory of a user, in one of root's.
	for _, path := range []string{"srv/user/sub", "srv/roots/sub", "srv/ro", "elsewhere", "state", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"srv/user", "srv/user/sub"} {
		if err := os.Chown(filepath.Join(dir, path), ci, ci); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"srv/link": dir + "/srv/roots/sub", "srv/out": "../elsewhere", "srv/round": "round", "srv/dangling": "nothing", "srv/tostate": dir + "/state", "srv/touser": "user/sub",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := configured(t, config.Rule{Allow: []string{"run"}, Backends: []string{"main"}, Binds: []string{dir + "/srv", dir + "/srv/ro:ro", dir + "/state", "/"}})
	cfg.Rules[0].Binds = cfg.Rules[0].Binds[:3]
	cfg.StateDir, cfg.RunDir = dir+"/state", dir+"/run"
	for name, tt := range map[string]struct {
		source string
		want   string // what it is, or what is said
	}{
		"itself":               {"srv", "srv"},
		"root's below":         {"srv/roots/sub", "srv/roots/sub"},
		"a user's":             {"srv/user", "srv/user"},
		"below a user's":       {"srv/user/sub", "could be made to lead elsewhere before it is mounted"},
		"a link":               {"srv/link", "srv/roots/sub"},
		"a link to a user's":   {"srv/touser", "could be made to lead elsewhere"},
		"a link out of it":     {"srv/out", "which leads to " + dir + "/elsewhere, needs binds"},
		"a loop":               {"srv/round", "too many levels of symbolic links"},
		"to nowhere":           {"srv/dangling", "no such file or directory; create it first"},
		"dots":                 {"srv/../elsewhere", "needs binds"},
		"beside it":            {"srvx", "needs binds"},
		"what nobody may know": {"elsewhere/nothing", "needs binds"},
		"the state":            {"state", "has the host's own files"},
		"a link to the state":  {"srv/tostate", "has the host's own files"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost()
			body := `{"process": {"mounts": [{"destination": "/x", "type": "bind", "source": "` + dir + "/" + tt.source + `", "options": ["rbind"]}]}}`
			status, message := ask(t, New(cfg), h, ci, nil, "POST", create, body)
			switch {
			case h.created != nil:
				if got := h.created.Process.Mounts[0].Source; got != dir+"/"+tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			case !strings.Contains(message, tt.want) || status != http.StatusForbidden && status != http.StatusBadRequest:
				t.Errorf("got %d %s, want %s", status, message, tt.want)
			}
		})
	}
	// What has the state below it has the state.
	cfg.Rules[0].Binds = []string{"/"}
	for _, source := range []string{dir, "/"} {
		if status, message := ask(t, New(cfg), newHost(), ci, nil, "POST", create, `{"process": {"mounts": [{"destination": "/x", "type": "bind", "source": "`+source+`"}]}}`); status != http.StatusForbidden || !strings.Contains(message, "the host's own files") {
			t.Errorf("%s: got %d %s", source, status, message)
		}
	}
}
