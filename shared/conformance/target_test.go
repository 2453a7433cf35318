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
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Run(t.Context(), tt.target, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that contains %q", err, tt.want)
			}
		})
	}
}

// A program that is no executor costs one clear failure, not one for each check.
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
			var progress int
			report, err := Run(t.Context(), Target{Binary: tt.path, Spec: Memory, Patience: time.Second}, func(Result) { progress++ })
			if err != nil {
				t.Fatal(err)
			}
			if progress != len(Checks()) {
				t.Errorf("progress was called %d times, want %d", progress, len(Checks()))
			}
			if report.Count(Failed) != 1 || report.Count(Passed) != 0 || report[0].Outcome != Failed {
				t.Fatalf("got %s, want 1 failed and the others skipped", report.Summary())
			}
			var b strings.Builder
			if err := report[0].Write(&b); err != nil || !strings.Contains(b.String(), tt.want) {
				t.Errorf("the report does not contain %q: %v\n%s", tt.want, err, b.String())
			}
		})
	}
}

func TestResultWrite(t *testing.T) {
	tests := map[string]struct {
		result Result
		want   string
	}{
		"passed":  {Result{Outcome: Passed}, "pass  binary     create               12ms\n"},
		"skipped": {Result{Outcome: Skipped, Reasons: []string{"why"}}, "skip  binary     create               why\n"},
		"failed": {Result{Outcome: Failed, Reasons: []string{"one", "two"}, Log: "a\nb\n"},
			"FAIL  binary     create               12ms\n      duty: It creates.\n      - one\n      - two\n      the executor's log:\n        a\n        b\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := tt.result
			r.Mode, r.Name, r.Duty, r.Took = Binary, "create", "It creates.", 12*time.Millisecond
			var b strings.Builder
			if err := r.Write(&b); err != nil || b.String() != tt.want {
				t.Errorf("got %q, %v; want %q", b.String(), err, tt.want)
			}
		})
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
	}
}
