package cli

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/cobra"
)

// execHost is a host with a container that has execs. It keeps what it was asked for.
type execHost struct {
	asked string
	opts  api.LogOptions
}

func (*execHost) Execs(reference string) ([]api.Exec, error) {
	if reference != "web" {
		return nil, executor.Errorf(executor.NotFound, "no container %q", reference)
	}
	now := time.Now()
	return []api.Exec{
		{ID: "aa11", Container: "c1", Attempt: 1, Command: []string{"sh", "-c", "exit 3"}, State: api.StateExited, CreatedAt: now.Add(-time.Hour), StartedAt: now.Add(-time.Hour), FinishedAt: now.Add(-3 * time.Minute), Exit: &api.End{Exit: executor.Exit{Code: new(3)}}},
		{ID: "bb22", Container: "c1", Attempt: 1, Command: []string{"tail", "-f", strings.Repeat("long", 20)}, State: api.StateRunning, PID: 77, CreatedAt: now.Add(-time.Minute), StartedAt: now.Add(-time.Minute)},
	}, nil
}

func (h *execHost) WaitExec(_ context.Context, reference, exec string) (*api.End, error) {
	h.asked = "wait " + reference + " " + exec
	if exec == "lost" {
		return &api.End{Exit: *executor.LostExit("reboot")}, nil
	}
	return &api.End{Exit: executor.Exit{Code: new(3)}}, nil
}

func (h *execHost) KillExec(_ context.Context, reference, exec string, sig executor.Signal) error {
	h.asked = fmt.Sprint("kill ", reference, " ", exec, " ", int(sig))
	return nil
}

func (h *execHost) ExecLogs(_ context.Context, reference, exec string, opts api.LogOptions, sink api.Sink) error {
	h.asked, h.opts = "logs "+reference+" "+exec, opts
	return sink(api.Stdout, []byte("out\n"))
}

func TestExecsListing(t *testing.T) {
	code, stdout, stderr := against(t, &execHost{}, "execs", "web")
	lines := strings.Split(stdout, "\n")
	if code != 0 || len(lines) != 4 || strings.Join(strings.Fields(lines[0]), " ") != "ID COMMAND PID CREATED STATUS" ||
		!strings.HasPrefix(lines[1], "bb22   tail -f longlong") || !strings.Contains(lines[1], "…") || !strings.Contains(lines[1], "77") || !strings.Contains(lines[1], "running 1m") ||
		!strings.HasPrefix(lines[2], "aa11   sh -c \"exit 3\"") || !strings.HasSuffix(lines[2], "exited (3) 3m ago") {
		t.Errorf("code %d, %s%s", code, stdout, stderr)
	}
	wantLines(t, &execHost{}, map[string]string{
		"execs -q web": "aa11 bb22",
		"execs --format '{{.ID}} {{.state}}' web":     "bb22 running aa11 exited",
		"execs --format '{{.ID}}={{.exit.code}}' web": "bb22= aa11=3",
		"execs --no-trunc --format {{.Command}} web":  "tail -f " + strings.Repeat("long", 20) + " sh -c \"exit 3\"",
	})
	if _, stdout, _ := against(t, &execHost{}, "execs", "--json", "web"); !strings.Contains(stdout, `"id": "aa11"`) {
		t.Errorf("as JSON:\n%s", stdout)
	}
	for args, want := range map[string]string{"execs": "no container is given", "execs web db": "too many arguments (db)", "execs nope": `no container "nope"`} {
		if code, _, stderr := against(t, &execHost{}, strings.Fields(args)...); code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %s", args, code, stderr)
		}
	}
}

// TestExecByID waits for an exec, sends it a signal, and reads its output.
func TestExecByID(t *testing.T) {
	for args, want := range map[string]string{
		"wait --exec aa web":           "3\n|wait web aa",
		"kill --exec aa web":           "aa\n|kill web aa 9",
		"kill -s HUP --exec bb22 web":  "bb22\n|kill web bb22 1",
		"logs web --exec aa":           "out\n|logs web aa",
		"logs -f -n 3 --exec=bb22 web": "out\n|logs web bb22",
	} {
		h := &execHost{}
		code, stdout, stderr := against(t, h, strings.Fields(args)...)
		if got := stdout + "|" + h.asked; code != 0 || got != want {
			t.Errorf("%s: code %d, %q, want %q; %s", args, code, got, want, stderr)
		}
	}
	h := &execHost{}
	if code, _, stderr := against(t, h, strings.Fields("logs -f -n 3 -t --since 1000 --until 2000 --stderr --exec aa web")...); code != 0 {
		t.Error(stderr)
	}
	if o := h.opts; !o.Follow || o.Tail == nil || *o.Tail != 3 || !o.Timestamps || o.Since.Unix() != 1000 || o.Until.Unix() != 2000 || !o.Stderr || o.Stdout {
		t.Errorf("asked for %+v", o)
	}
	for args, want := range map[string]string{
		"wait --exec aa web db":               "--exec is for one container, and 2 are given (web db)",
		"kill --exec aa web db":               "--exec is for one container, and 2 are given (web db)",
		"wait --exec lost web":                "exec lost of container web was lost, so its exit code is not known: reboot",
		"wait --exec aa --condition next web": "use one of",
		"logs --exec aa --attempt 1 web":      "an exec has no attempts",
		"logs --exec aa --previous web":       "an exec has no attempts",
		"logs --exec= web":                    "empty",
	} {
		if code, _, stderr := against(t, &execHost{}, strings.Fields(args)...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %s", args, code, stderr)
		}
	}
}

// TestExecCompletion completes the ids of the container that is named.
func TestExecCompletion(t *testing.T) {
	for args, want := range map[string]string{"logs web --exec ": "aa11 bb22", "kill web --exec b": "bb22", "wait --exec ": "", "logs nope --exec ": ""} {
		fields := strings.Fields(args)
		if strings.HasSuffix(args, " ") {
			fields = append(fields, "")
		}
		_, stdout, _ := against(t, &execHost{}, append([]string{cobra.ShellCompNoDescRequestCmd}, fields...)...)
		before, _, _ := strings.Cut(stdout, ":")
		if got := strings.Join(strings.Fields(before), " "); got != want {
			t.Errorf("%s: got %q, want %q", args, got, want)
		}
	}
}
