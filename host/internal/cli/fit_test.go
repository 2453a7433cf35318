package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestFit(t *testing.T) {
	const header = "ID COMMAND RUNTIME PORTS"
	for _, tt := range []struct {
		name        string
		width       int
		header, row string
	}{
		{"fits", 72, header, "0123456789abcdef a-command-of-some-length runc 127.0.0.1:80->80"},
		{"shorter", 60, header, "0123456789abcdef a-command-o… runc 127.0.0.1:80->80"},
		{"without a column", 50, "ID COMMAND PORTS", "0123456789abcdef a-command-o… 127.0.0.1:80->80"},
		{"shorter still", 46, "ID COMMAND PORTS", "0123456789abcdef a-command-o… 127.0.0.1:8…"},
		{"never without what counts", 10, "ID COMMAND PORTS", "0123456789abcdef a-command-o… 127.0.0.1:8…"},
	} {
		row := strings.Fields("0123456789abcdef a-command-of-some-length runc 127.0.0.1:80->80")
		gotHeader, rows := fit(tt.width, strings.Fields(header), [][]string{row}, []string{"COMMAND", "PORTS"}, []string{"RUNTIME"})
		if !slices.Equal(gotHeader, strings.Fields(tt.header)) || !slices.Equal(rows[0], strings.Fields(tt.row)) {
			t.Errorf("%s: got %q and %q", tt.name, gotHeader, rows[0])
		}
	}
}
