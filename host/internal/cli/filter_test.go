package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/pflag"
)

func TestFilters(t *testing.T) {
	all := []api.Container{
		{ID: "a1", Name: "web", Backend: "shim", Runtime: "runc", State: api.StateRunning, Health: &api.Health{Status: api.HealthHealthy}, Labels: map[string]string{"app": "web", "tier": "1"}},
		{ID: "a2", Name: "web-2", Backend: "process", State: api.StatePaused, Labels: map[string]string{"app": "web"}, Image: "web", ImageID: "sha256:12345", Network: "front", Volumes: []api.MountedVolume{{Name: "data", Target: "/d"}}},
		{ID: "b3", Name: "db", Backend: "shim", Runtime: "crun", State: api.StateExited, Exit: &api.End{Exit: executor.Exit{Code: new(3)}}},
		{ID: "b4", Image: "r:5000/db:1", Addresses: []api.Address{{Network: "back"}}, State: api.StateExited, Exit: &api.End{}},
	}
	for args, want := range map[string]string{
		"":                                   "a1 a2 b3 b4",
		"-f id=a":                            "a1 a2",
		"-f name=web":                        "a1 a2",
		"-f name=^web$":                      "a1",
		"-f name=^web$ -f name=db":           "a1 b3",
		"-f backend=shim -f status=exited":   "b3",
		"-f runtime=crun":                    "b3",
		"-f status=running -f status=paused": "a1 a2",
		"-f exited=3":                        "b3",
		"-f health=healthy":                  "a1",
		"-f health=none":                     "a2 b3 b4",
		"-f exited=0":                        "",
		"-f volume=data":                     "a2",
		"-f volume=/d":                       "a2",
		"-f ancestor=web:latest":             "a2",
		"-f ancestor=docker.io/library/web":  "a2",
		"-f ancestor=web:2":                  "",
		"-f ancestor=1234":                   "a2",
		"-f ancestor=12":                     "",
		"-f ancestor=r:5000/db:1":            "b4",
		"-f network=front -f network=back":   "a2 b4",
		"-f label=app":                       "a1 a2",
		"-f label=app=web -f label=tier":     "a1",
		"-f label=app=db":                    "",
	} {
		fs := pflag.NewFlagSet("ps", pflag.ContinueOnError)
		f := filterFlag(fs)
		if err := fs.Parse(strings.Fields(args)); err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		passed, err := f.apply(t.Context(), nil, slices.Clone(all))
		var ids []string
		for _, c := range passed {
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, " "); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", args, got, err, want)
		}
	}
	for _, bad := range []string{"id", "=a", "colour=red", "status=dead", "exited=x", "exited=256", "name=("} {
		fs := pflag.NewFlagSet("ps", pflag.ContinueOnError)
		filterFlag(fs)
		if err := fs.Parse([]string{"--filter", bad}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
