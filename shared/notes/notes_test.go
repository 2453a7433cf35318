package notes

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestNote(t *testing.T) {
	for _, want := range []Note{
		{Offset: 1, At: time.Unix(0, 1)},
		{Offset: 1 << 40, At: time.Unix(1_800_000_000, 123456789), Span: 1500 * time.Millisecond, Sampled: true},
	} {
		b := want.Append(nil)
		got, ok := Parse(b)
		if !ok || len(b) != Size || got.Offset != want.Offset || !got.At.Equal(want.At) || got.Span != want.Span || got.Sampled != want.Sampled {
			t.Errorf("got %+v, %t, want %+v", got, ok, want)
		}
		b[3]++
		if got, ok := Parse(b); ok {
			t.Errorf("a damaged note was parsed: %+v", got)
		}
	}
	if _, ok := Parse(make([]byte, Size)); ok {
		t.Error("a hole is no note")
	}
	if got, ok := Parse(Note{Offset: 1, At: time.Unix(5, 0), Span: 1<<62 - 1}.Append(nil)); !ok || got.Span < time.Hour {
		t.Errorf("a long span: got %+v", got)
	}
}

func TestTrim(t *testing.T) {
	f, err := Open(filepath.Join(t.TempDir(), "notes"), os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const count = 100_000
	var b []byte
	for i := range int64(count) {
		b = Note{Offset: i + 1, At: time.Unix(i, 0)}.Append(b)
	}
	if err := Write(f, b); err != nil {
		t.Fatal(err)
	}
	blocks := func() int64 {
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			t.Fatal(err)
		}
		return st.Blocks
	}
	before := blocks()
	for _, low := range []int64{10, 90_000, 90_010} {
		if err := Trim(f, low); err != nil {
			t.Fatal(err)
		}
	}
	if after := blocks(); after > before/5 {
		t.Errorf("%d blocks of %d are left", after, before)
	}
	var one [Size]byte
	if _, err := f.ReadAt(one[:], 90_000*Size); err != nil {
		t.Fatal(err)
	}
	if n, ok := Parse(one[:]); !ok || n.Offset != 90_001 {
		t.Errorf("the first note that is needed: got %+v, %t", n, ok)
	}
	if last := Last(f); last.Offset != count {
		t.Errorf("the last note: got %+v", last)
	}
}
