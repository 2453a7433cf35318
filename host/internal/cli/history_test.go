package cli

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
)

// TestHistoryListing lists steps as docker does.
func TestHistoryListing(t *testing.T) {
	now := time.Date(2024, 5, 4, 3, 2, 1, 0, time.UTC)
	id := "sha256:" + strings.Repeat("0", 64)
	steps := []api.ImageStep{{Image: id, CreatedBy: strings.Repeat("x", 50), CreatedAt: now.Add(-time.Hour), Comment: "c"}, {CreatedBy: "ADD\tfile", Size: 2048}}
	got := historyOptions{human: true}.listing(steps, now).rows
	want := [][]string{{strings.Repeat("0", 12), "1h ago", strings.Repeat("x", 44) + "…", "0B", "c"}, {"<missing>", "", "ADD file", "2KiB", ""}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	l := historyOptions{whole: true}.listing(steps, now)
	want = [][]string{{id, "2024-05-04T02:02:01Z", strings.Repeat("x", 50), "0", "c"}, {"<missing>", "", "ADD file", "2048", ""}}
	if !reflect.DeepEqual(l.rows, want) {
		t.Errorf("for programs: got  %q\nwant %q", l.rows, want)
	}
	var out strings.Builder
	if err := l.print(&out, "{{.ID}} {{.CreatedSince}} {{.CreatedAt}} {{.Size}} {{.Comment}}"); err != nil || out.String() != id+" About an hour ago 2024-05-04T02:02:01Z 0 c\n<missing>   2048 \n" {
		t.Errorf("template: got %q, %v", out.String(), err)
	}
}
