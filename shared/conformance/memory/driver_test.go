package memory

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestArgsOf(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want executor.Code
	}{
		"one step":        {[]string{"exit", "3"}, ""},
		"many steps":      {[]string{"print", "stdout", "a", ";", "sleep", "10ms", ";", "sleep", "1", ";", "oom"}, ""},
		"no args":         {nil, executor.Invalid},
		"empty step":      {[]string{";", "exit", "0"}, executor.Invalid},
		"unknown command": {[]string{"/bin/sh", "-c", "true"}, executor.CommandNotFound},
		"missing":         {[]string{"exec", plain + "x"}, executor.CommandNotFound},
		"executable":      {[]string{"exec", os.Args[0]}, ""},
		"not executable":  {[]string{"exec", plain}, executor.CommandNotExecutable},
		"exec and more":   {[]string{"exec", os.Args[0], ";", "exit", "0"}, executor.Invalid},
		"too few":         {[]string{"exit"}, executor.Invalid},
		"too many":        {[]string{"oom", "now"}, executor.Invalid},
		"stream":          {[]string{"print", "stdin", "a"}, executor.Invalid},
		"code":            {[]string{"exit", "256"}, executor.Invalid},
		"signal":          {[]string{"die", "0"}, executor.Invalid},
		"trap":            {[]string{"trap", "15", "x"}, executor.Invalid},
		"duration":        {[]string{"sleep", "soon"}, executor.Invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec, err := json.Marshal(map[string]any{"process": map[string]any{"args": tt.args}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (&driver{}).specOf(spec); executor.CodeOf(err) != tt.want {
				t.Errorf("got %v, want code %q", err, tt.want)
			}
		})
	}
	for _, spec := range []string{"", "{", "[]", "{}", `{"process":7}`} {
		if _, err := (&driver{}).specOf(json.RawMessage(spec)); !errors.Is(err, executor.Invalid) {
			t.Errorf("spec %q: got %v, want invalid", spec, err)
		}
	}
}
