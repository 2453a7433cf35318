package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

func TestTemplates(t *testing.T) {
	code := 7
	items := []api.Container{
		{ID: "1234", Name: "web", State: api.StateRunning, PID: 42, Labels: map[string]string{"a": "b<c"}, Command: []string{"sh", "-c"}},
		{ID: "5678", Name: "db", State: api.StateExited, Exit: &api.End{Exit: executor.Exit{Code: &code}}, Restart: "always"},
	}
	l := listing{header: []string{"ID", "LAST ERROR"}, rows: [][]string{{"1234", "none"}, {"5678", "e"}}, items: items, more: func(i int) fields { return inspectFields(items[i]) }}
	for form, want := range map[Format]string{
		"{{.ID}}":                              "1234\n5678\n",
		"{{.name}}={{.State.Pid}}":             "web=42\ndb=0\n",
		"{{.LastError}}":                       "none\ne\n",
		`{{.ID}}\t{{upper .Name}}`:             "1234\tWEB\n5678\tDB\n",
		`table {{.ID}}\t{{.Name}}`:             "ID     NAME\n1234   web\n5678   db\n",
		"{{if gt .State.Pid 1}}{{.id}}{{end}}": "1234\n\n",
		"{{json .Config.Labels}}":              "{\"a\":\"b<c\"}\n{}\n",
		`{{join .Config.Cmd "+"}}`:             "sh+-c\n\n",
		"{{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}":           "-1 no\n7 always\n",
		"{{truncate .id 2}} {{.attempt}}":                                  "12 0\n56 0\n",
		"{{.exit.code}}|{{.error}}|{{.restart}}|{{.restarts}}|{{.labels}}": "|||0|map[a:b<c]\n7||always|0|map[]\n",
	} {
		var b strings.Builder
		if err := l.print(&b, form); err != nil || b.String() != want {
			t.Errorf("%s: got %q, %v, want %q", form, b.String(), err, want)
		}
	}
	var b strings.Builder
	if err := l.print(&b, "{{.Image}}"); err == nil || !strings.Contains(err.Error(), `"Image"`) || !strings.Contains(err.Error(), "LastError") {
		t.Errorf("a field that does not exist: got %v", err)
	}
	empty := listing{header: []string{"ID"}, items: []api.Container{}}
	if err := empty.print(&b, "table {{.ID}}"); err != nil || b.String() != "ID\n" {
		t.Errorf("nothing: got %q, %v", b.String(), err)
	}
}

func TestListFormat(t *testing.T) {
	cmd := &cobra.Command{Use: "x"}
	form := listFormatFlag(cmd)
	for value, fails := range map[string]bool{"table": false, "json": false, "{{.ID}}": false, "table {{.ID}}": false, "": true, "yaml": true, "{{.ID": true, "{{nosuch .ID}}": true} {
		if err := cmd.Flags().Set("format", value); (err != nil) != fails || err == nil && string(*form) != value {
			t.Errorf("%q: got %q, %v", value, *form, err)
		}
	}
	if err := (inspectFormat{form}).Set("table"); err == nil {
		t.Error("inspect took a table")
	}
}

// TestDockerFields has the templates for the lists that people bring along.
func TestDockerFields(t *testing.T) {
	var b strings.Builder
	a := &App{Stdout: &b}
	n := uint64(3)
	list := []usage{{ID: "1234", Name: "web", Stats: api.Stats{Stats: executor.Stats{Tasks: &n}}}}
	if err := printUsage(a, list, statsOptions{form: "{{.Container}} {{.Name}} {{.CPUPerc}} {{.PIDs}} {{.NetIO}}"}); err != nil || b.String() != "web web  3 - / -\n" {
		t.Errorf("stats: got %q, %v", b.String(), err)
	}
	b.Reset()
	e := api.Event{Type: "container.started", Container: "1234", Time: time.Unix(5, 0)}
	if err := a.printEvent(e, "{{.Time}} {{.Type}} {{.Action}} {{.ID}}"); err != nil || b.String() != "5 container started 1234\n" {
		t.Errorf("events: got %q, %v", b.String(), err)
	}
	b.Reset()
	c := api.Container{ID: "1234", Name: "web", Labels: map[string]string{"b": "2", "a": "1"}}
	l := listing{items: []api.Container{c}, more: func(int) fields { return psFields(c, time.Now(), 2048) }}
	if err := l.print(&b, "{{.Names}} {{.Labels}} {{.Size}}"); err != nil || b.String() != "web a=1,b=2 2KiB\n" {
		t.Errorf("ps: got %q, %v", b.String(), err)
	}
}
