package output

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/notes"
)

// note puts notes into the index of a file.
func note(t testing.TB, path string, list ...notes.Note) {
	t.Helper()
	f, err := notes.Open(path+indexSuffix, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, n := range list {
		if err := notes.Write(f, n.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
}

func copied(t testing.TB, files Files, opts api.LogOptions) string {
	t.Helper()
	o := &Outputs{watcher: newWatcher(t)}
	var out strings.Builder
	if err := o.Copy(t.Context(), files, opts, nil, func(_ api.Stream, data []byte) error { out.Write(data); return nil }); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestTimestamps: each line has its own time where that is known, in the order of both
// streams. Of lines that came while nobody looked, only the last has a certain one.
func TestTimestamps(t *testing.T) {
	files := newFiles(t, false)
	at := func(seconds float64) time.Time { return time.Unix(1_800_000_000, int64(seconds*1e9)) }
	write(t, appendTo(t, files.Stdout), "a\nc\nd1\nd2\nd3\nlong ")
	write(t, appendTo(t, files.Stderr), "b\n")
	note(t, files.Stdout,
		notes.Note{Offset: 2, At: at(1)}, notes.Note{Offset: 4, At: at(1.3)},
		notes.Note{Offset: 13, At: at(20), Span: 15 * time.Second, Sampled: true},
		notes.Note{Offset: 18, At: at(20.5), Span: 2 * time.Millisecond})
	note(t, files.Stderr, notes.Note{Offset: 2, At: at(1.2)})
	want := strings.ReplaceAll(`T01.000000000Z a
T01.200000000Z b
T01.300000000Z c
T20.000000000Z~15s d1
T20.000000000Z~15s d2
T20.000000000Z d3
T20.500000000Z long `, "T", "2027-01-15T08:00:")
	if got := copied(t, files, api.LogOptions{Timestamps: true}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := copied(t, files, api.LogOptions{}); got != "a\nb\nc\nd1\nd2\nd3\nlong " {
		t.Errorf("without times: got %q", got)
	}
	if got := copied(t, files, api.LogOptions{Since: at(1.25), Until: at(2)}); got != "c\n" {
		t.Errorf("since and until: got %q", got)
	}
}

func TestRoughly(t *testing.T) {
	for _, tt := range []struct {
		span time.Duration
		want string
	}{
		{10*time.Millisecond + 1, "11ms"}, {999 * time.Millisecond, "999ms"}, {1001 * time.Millisecond, "1.1s"},
		{14*time.Second + 1, "15s"}, {90 * time.Minute, "1h30m0s"},
	} {
		if got := roughly(tt.span).String(); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.span, got, tt.want)
		}
	}
}

// TestSparseFile: the tail of a log that somebody has made as large as a file can be is
// found at once, and looking for it ends with its context.
func TestSparseFile(t *testing.T) {
	w := newWatcher(t)
	files := newFiles(t, true)
	write(t, appendTo(t, files.Stdout), "one\ntwo\n")
	size := int64(1) << 43
	for os.Truncate(files.Stdout, size) != nil {
		if size /= 2; size < 1<<30 {
			t.Skip("the file system has no large files")
		}
	}
	f := appendTo(t, files.Stdout)
	write(t, f, "three\nfour\n")
	for _, tail := range []int{0, 1, 2, 3, 10} {
		r := newReader(t, w, files, ReadOptions{Tail: &tail})
		var got strings.Builder
		var dropped int64
		for {
			c, err := r.Next(t.Context())
			if err != nil {
				break
			}
			got.Write(c.Data)
			dropped += c.Dropped
		}
		want := []string{"four\n", "three\nfour\n"}
		if tail == 1 && got.String() != want[0] || tail > 2 && (!strings.HasSuffix(got.String(), want[0]) || dropped < size/2) {
			t.Errorf("tail %d: got %q, %d dropped", tail, got.String(), dropped)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewReader(ctx, w, files, ReadOptions{Tail: new(5)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}
