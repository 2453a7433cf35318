package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCompletion completes what needs no host, and nothing where none answers.
func TestCompletion(t *testing.T) {
	for args, want := range map[string][]string{
		"run --restart ":      {"no", "on-failure", "always", "unless-stopped"},
		"ps --format ":        {"table", "json"},
		"kill --signal TER":   {"TERM"},
		"rm ":                 nil,
		"rename web ":         nil,
		"run --backend ":      nil,
		"run --ipc s":         {"shareable"},
		"run -a std":          {"stdin", "stdout", "stderr"},
		"backend restart ":    nil,
		"run --stop-signal W": {"WINCH"},
	} {
		var out bytes.Buffer
		a := &App{Stdout: &out, Stderr: &out, Env: hostAt(t.TempDir() + "/none.sock")}
		fields := strings.Fields(args)
		if strings.HasSuffix(args, " ") {
			fields = append(fields, "")
		}
		if code := a.Main(t.Context(), append([]string{cobra.ShellCompNoDescRequestCmd}, fields...)); code != 0 {
			t.Errorf("%q: exit code %d: %s", args, code, &out)
		}
		lines := strings.Split(out.String(), "\n")
		got := slices.DeleteFunc(lines, func(s string) bool { return s == "" || s[0] == ':' || strings.HasPrefix(s, "Completion ended") })
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
}

func TestVersionFlag(t *testing.T) {
	var out bytes.Buffer
	a := &App{Stdout: &out, Stderr: &out, Env: func(string) (string, bool) { return "", false }}
	a.Build.Version = "1.2.3"
	if code := a.Main(t.Context(), []string{"--version"}); code != 0 || out.String() != "davit 1.2.3\n" {
		t.Errorf("exit code %d: %s", code, &out)
	}
}
