package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

func TestTargetIsRefused(t *testing.T) {
	e := &executor.Executor{}
	tests := map[string]struct {
		target Target
		want   string
	}{
		"nothing to test": {Target{Spec: Memory}, "neither"},
		"no specs":        {Target{Executor: e}, "no Spec"},
		"unknown check":   {Target{Executor: e, Spec: Memory, Skip: map[string]string{"output-oder": "x"}}, `"output-oder"`},
		"unknown only":    {Target{Executor: e, Spec: Memory, Only: []string{"open", "creat*x"}}, `"creat*x"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Run(t.Context(), tt.target, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that contains %q", err, tt.want)
			}
		})
	}
}

// TestNoExecutor checks that a program that is not an executor causes one clear
// failure, not one for each check.
func TestNoExecutor(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct{ path, want string }{
		"missing":         {filepath.Join(dir, "none"), "no such file"},
		"not executable":  {script("plain", "", 0o600), "permission denied"},
		"exits at once":   {script("exits", "exit 0", 0o700), "executor"},
		"not a plugin":    {script("chatty", "echo hello; exec sleep 60", 0o700), "hello"},
		"another version": {script("later", "echo '1|99|unix|/tmp/x|netrpc|'; exec sleep 60", 0o700), "99"},
		"silent":          {script("silent", "exec sleep 60", 0o700), "timeout"},
		"no socket":       {script("deaf", "echo '1|1|unix|"+dir+"/none|netrpc|'; exec sleep 60", 0o700), "none"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var begun, ended int
			report, err := Run(t.Context(), Target{Binary: tt.path, Spec: Memory, Patience: time.Second}, func(r Result) {
				if r.Outcome == Running {
					begun++
				} else {
					ended++
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if begun != len(Checks()) || ended != len(Checks()) {
				t.Errorf("progress was called for %d begins and %d ends, want %d", begun, ended, len(Checks()))
			}
			if report.Count(Failed) != 1 || report.Count(Passed) != 0 || report[0].Outcome != Failed {
				t.Fatalf("got %s, want 1 failed and the others skipped", report.Summary())
			}
			if got := report[0].Text(0); !strings.Contains(got, tt.want) {
				t.Errorf("the report does not contain %q:\n%s", tt.want, got)
			}
		})
	}
}

func TestResultText(t *testing.T) {
	tests := map[string]struct {
		width  int
		result Result
		want   string
	}{
		"passed":  {0, Result{Outcome: Passed}, "ok    create                It creates, and says so in a sentence.\n"},
		"skipped": {0, Result{Outcome: Skipped, Reasons: []string{"why"}}, "skip  create                skipped: why\n"},
		"failed": {0, Result{Outcome: Failed, Reasons: []string{"one", "two"}, Hint: "Look there.", Log: "a\nb\n"},
			"FAIL  create                It creates, and says so in a sentence.\n      - one\n      - two\n      hint: Look there.\n      the executor's log:\n        a\n        b\n"},
		"narrow": {50, Result{Outcome: Failed, Reasons: []string{"one two three four five six seven eight nine ten"}, Hint: "Look there."},
			"FAIL  create                It creates, and says\n                            so in a sentence.\n" +
				"      - one two three four five six seven eight\n        nine ten\n      hint: Look there.\n"},
		"too narrow": {30, Result{Outcome: Passed}, "ok    create                It creates, and says so in a sentence.\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := tt.result
			r.Mode, r.Name, r.Duty = Binary, "create", "It creates, and says so in a sentence."
			if got := r.Text(tt.width); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestOnly(t *testing.T) {
	target := Target{Binary: "/none", Spec: Memory, Only: []string{"exit-next-host", "delete*"}}
	report, err := Run(t.Context(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range report {
		names = append(names, r.Name)
	}
	if got, want := strings.Join(names, " "), "open exit-next-host delete delete-running delete-unanswered delete-unknown"; got != want {
		t.Errorf("the checks are %s, want %s", got, want)
	}
}

func TestChecksAreNamedApart(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Checks() {
		if seen[c.Name] {
			t.Errorf("two checks are called %q", c.Name)
		}
		seen[c.Name] = true
		if !strings.HasSuffix(c.Duty, ".") {
			t.Errorf("%s: the duty is no sentence: %q", c.Name, c.Duty)
		}
		if !strings.HasSuffix(c.Hint, ".") {
			t.Errorf("%s: the hint is no sentence: %q", c.Name, c.Hint)
		}
	}
}
