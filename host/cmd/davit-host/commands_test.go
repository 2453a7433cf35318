package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/cli"
)

// TestCommands follows one container through all commands.
func TestCommands(t *testing.T) {
	s := newSite(t)
	s.serve()
	id := s.detach("--name web --label k=v", "trap 15 4", "trap 1 5", "ignore 10", "print stdout hello", "print stderr oops", "sleep 60")
	short := api.ShortID(id)
	s.want(0, short+"\n", "", "ps", "-q")
	s.want(0, id+"\n", "", "ps", "-q", "--no-trunc")
	if got := s.run("ps").stdout; !regexp.MustCompile(`(?m)^ID +NAME +BACKEND +RUNTIME +COMMAND +CREATED +STATUS\n` + short + ` +web +a +\S+ +"?trap 15 4.*… +\S.* ago +running \ds\n$`).MatchString(got) {
		t.Errorf("ps:\n%s", got)
	}
	var inspected []api.Container
	if err := json.Unmarshal([]byte(s.run("inspect", "web", id[:8]).stdout), &inspected); err != nil || len(inspected) != 2 || inspected[0].ID != id || inspected[1].Labels["k"] != "v" {
		t.Errorf("inspect: got %+v, %v", inspected, err)
	}
	s.until(func() bool { return s.run("logs", "web").stderr != "" })
	s.want(0, "hello\n", "oops\n", "logs", "web")
	s.want(0, "hello\n", "", "logs", "--stdout", "web")
	s.want(0, "", "oops\n", "logs", "--stderr", "-n", "1", "web")
	s.want(0, "", "", "logs", "--tail=0", "web")
	s.want(0, "hello\n", "oops\n", "logs", "--since", time.Now().Add(-time.Hour).Format(time.DateTime), "web")
	if got := s.run("logs", "-t", "--stdout", "web").stdout; !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\S+ hello\n$`).MatchString(got) {
		t.Errorf("logs -t: got %q", got)
	}
	s.want(1, "", "davit: container web is running; stop it first, or force its removal\n", "rm", "web")
	s.want(0, "web\n", "", "kill", "-s", "USR1", "web")
	s.run("kill", "-s", "HUP", "web") // may return that it has ended, because of this
	s.want(0, "5\n", "", "wait", "web")
	s.want(0, "hello\n", "oops\n", "logs", "-f", "web")
	s.want(1, "", "davit: container "+id+" is not running\n", "kill", "web")
	s.want(0, "web\n", "", "stop", "web")
	s.want(0, "", "", "ps", "-q")
	if got := s.run("ps", "-a").stdout; !strings.Contains(got, "exited (5) 0s ago") && !strings.Contains(got, "exited (5) 1s ago") {
		t.Errorf("ps -a:\n%s", got)
	}
	s.want(0, "web\n", "", "start", "web")
	s.until(func() bool { return s.run("logs", "web").stderr != "" })
	s.want(0, "web\n", "", "start", "web") // it runs
	s.run("kill", "-s", "HUP", "web")
	s.want(0, "5\n", "", "wait", "web")
	other := s.detach("--backend b", "ignore 15", "print stdout ready", "sleep 60")
	s.until(func() bool { return s.run("logs", other).stdout != "" })
	s.want(1, "web\n"+other+"\n", "davit: no container \"nope\"\n", "stop", "-t", "0", "web", "nope", other)
	s.want(0, "5\n137\n", "", "wait", "web", other)
	s.want(0, "web\n"+other+"\n", "", "rm", "-f", "web", "nope", other)
	s.want(0, "[]\n", "", "ps", "-a", "--format", "json")
	s.want(1, "[]\n", "davit: no container \"web\"\n", "inspect", "web")
	var types []string
	for line := range strings.Lines(s.run("events", "--format=json").stdout) {
		var e api.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Container == id {
			types = append(types, strings.TrimPrefix(e.Type, "container."))
		}
	}
	if got := strings.Join(types, " "); got != "created started exited started exited removed" {
		t.Errorf("events: got %s", got)
	}
	if got := s.run("events", "-n", "1").stdout; !regexp.MustCompile(`^\w+ +\d+ [\d:.]+  \d+  container.removed   \w+  backend=[ab]( attempt=2)?\n$`).MatchString(got) {
		t.Errorf("events: got %q", got)
	}
}

func TestListings(t *testing.T) {
	s := newSite(t)
	s.serve()
	s.until(func() bool { return strings.Count(s.run("backends").stdout, "ready") == 2 })
	if got := s.run("backends").stdout; !regexp.MustCompile(`^NAME +EXECUTOR +STATE +PID +VERSION +CONTAINERS +RESTARTS +LAST ERROR\na \(default\) +memory +ready \ds +\d+ +\S+ +0 +0 +-\nb +memory +ready \ds +\d+ +\S+ +0 +0 +-\n$`).MatchString(got) {
		t.Errorf("backends:\n%s", got)
	}
	var backends []api.BackendInfo
	if err := json.Unmarshal([]byte(s.run("backends", "--format", "json").stdout), &backends); err != nil || len(backends) != 2 || !backends[0].Default {
		t.Errorf("backends: got %+v, %v", backends, err)
	}
	if got := s.run("runtimes").stdout; !strings.HasPrefix(got, "BACKEND") || !strings.Contains(got, "\na ") || !strings.Contains(got, "\nb ") {
		t.Errorf("runtimes:\n%s", got)
	}
	if r := s.run("runtimes", "b", "c"); r.code != 1 || strings.Contains(r.stdout, "\na ") || !strings.Contains(r.stdout, "\nb ") || !strings.Contains(r.stderr, `no backend is named "c"`) {
		t.Errorf("runtimes: %+v", r)
	}
	if r := s.run("version"); r.code != 0 || !strings.Contains(r.stdout, "davit  devel") || !strings.Contains(r.stdout, ", pid ") {
		t.Errorf("version: %+v", r)
	}
}

// TestUsage shows errors that need no host.
func TestUsage(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"pss", 1, `unknown command "pss"; did you mean ps?`},
		{"isnpect x", 1, `unknown command "isnpect"; did you mean inspect?`},
		{"help isnpect", 1, `unknown command "isnpect"; did you mean inspect?`},
		{"help network crate", 1, `unknown command "crate"; did you mean create?`},
		{"frobnicate", 1, `unknown command "frobnicate"; see davit --help`},
		{"ps --al", 1, "unknown flag: --al; did you mean --all?"},
		{"ps --frobnicate", 1, "unknown flag: --frobnicate; see davit ps --help"},
		{"ps -x", 1, "unknown shorthand flag: 'x' in -x; see davit ps --help"},
		{"ps web", 1, "too many arguments (web); usage: davit ps [flags]"},
		{"ps --format yaml", 1, `--format "yaml": use table, json or a template such as '{{.ID}}'`},
		{"stop", 1, "no container is given; usage: davit stop [flags] CONTAINER..."},
		{"stop -t soon web", 1, `--timeout "soon": give seconds, or a duration such as 1m30s`},
		{"kill -s NOPE web", 1, `"NOPE" is not a signal; give a name such as TERM, or a number`},
		{"logs a b", 1, "too many arguments (b); usage: davit logs [flags] CONTAINER"},
		{"logs -n few web", 1, `--tail "few": give a number, from 0, or all`},
		{"logs --since yesterday web", 1, `--since "yesterday": give a time such as 2026-01-31T12:00:00Z, how long ago, such as 10m, or Unix seconds`},
		{"events -n 1 --after 1", 1, "if any flags in the group [tail after] are set none of the others can be; [after tail] were all set"},
		{"rm ..", 1, `".." is not the name of a container`},
		{"run", 125, "nothing to run: give an image, or --rootfs DIR and a command, or --bundle DIR"},
		{"run --rootfs /r", 125, "no command is given; write it after the flags: davit run --rootfs DIR CMD [ARG...]"},
		{"run --rootfs /r --bundle /b x", 125, "both --rootfs and --bundle are given; use one"},
		{"run --memroy 4m x", 125, "unknown flag: --memroy; did you mean --memory?"},
		{"run -m 4x x", 125, `--memory "4x" is not a size; write a number with b, k, m or g, such as 512m`},
		{"run -v vol:x y", 125, `--volume "vol:x": mount target "x" is not an absolute path`},
		{"update --cpus 0 web", 1, "--cpus 0: a limit that a container has can be changed, and not be taken off; give as much as this machine has"},
		{"serve -c /nowhere.hcl", exitConfig, "/nowhere.hcl: cannot be read: no such file or directory\ndavit: /nowhere.hcl is not valid"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			r := s.run(strings.Fields(tt.args)...)
			want := "davit: " + tt.want + "\n"
			if strings.Contains(tt.want, "\n") {
				want = tt.want + "\n"
			}
			if r.code != tt.code || r.stderr != want || r.stdout != "" {
				t.Errorf("got %+v\nwant code %d, %s", r, tt.code, want)
			}
		})
	}
}

// TestHelp shows that every command explains itself with an example.
func TestHelp(t *testing.T) {
	s := newSite(t)
	a := cli.App{Env: func(string) (string, bool) { return "", false }}
	for _, c := range a.Root().Commands() {
		if c.Hidden {
			continue
		}
		if c.Short == "" || c.Example == "" || c.GroupID == "" {
			t.Errorf("%s: short %q, example %q, group %q", c.Name(), c.Short, c.Example, c.GroupID)
		}
		for line := range strings.Lines(c.Example) {
			if !strings.Contains(line, "davit "+c.Name()) {
				t.Errorf("%s: example %q is of another command", c.Name(), line)
			}
		}
		r := s.run(c.Name(), "--help")
		if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, c.Short) && c.Long == "" {
			t.Errorf("%s --help: %+v", c.Name(), r)
		}
	}
	if r := s.run(); r.code != 0 || !strings.Contains(r.stdout, "Containers:") || strings.Contains(r.stdout, "davit [flags]") {
		t.Errorf("davit: %+v", r)
	}
}
