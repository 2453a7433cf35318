package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestEnvFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "env")
	long := strings.Repeat("x", 100<<10)
	for _, tt := range []struct{ name, text, want, wantErr string }{
		{"plain", "A=1\n\n# no\n\t B= 2 \nOURS\nNOBODYS", "A=1|B= 2 |OURS=ours", ""},
		{"byte order mark", "\ufeffA=1\n", "A=1", ""},
		{"of Windows", "A=1\r\n\r\nB=2\r\n", "A=1|B=2", ""},
		{"long line", "A=" + long + "\nB=1\n", "A=" + long + "|B=1", ""},
		{"not UTF-8", "A=1\nB=a\xffb\n", "", `:2: "B=a\xffb" is not UTF-8`},
		{"not UTF-8 at the start", "\xff\xfeA\x00=\x001\x00", "", `:1: "\xff\xfeA\x00=\x001\x00" is not UTF-8`},
		{"space in a name", "A=1\nSP =x\n", "", `:2: the name "SP " has white space in it`},
		{"space in a name alone", "S P\n", "", `:1: the name "S P" has white space in it`},
		{"no name", "A=1\n\n=x\n", "", `:3: environment variable "=x" is not of the form NAME=VALUE or NAME`},
		{"too large", strings.Repeat("#", executor.MaxSpecSize+1), "", " has more than 4194304 bytes, which no spec can hold"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var got []string
			err := readEnv(&got, path, func(name string) (string, bool) { return "ours", name == "OURS" })
			if tt.wantErr != "" {
				if err == nil || err.Error() != path+tt.wantErr {
					t.Errorf("got %v, want %s", err, path+tt.wantErr)
				}
				return
			}
			if want := strings.Split(tt.want, "|"); err != nil || !slices.Equal(got, want) {
				t.Errorf("got %.100q, %v; want %.100q", got, err, want)
			}
		})
	}
}
