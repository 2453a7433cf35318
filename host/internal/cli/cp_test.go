package cli

import (
	"testing"

	"github.com/davit-run/davit/host/api"
)

func TestSplitCopyArg(t *testing.T) {
	for arg, want := range map[string][2]string{
		"web:/x": {"web", "/x"}, "web:x:y": {"web", "x:y"}, "web:": {"web", ""},
		"x": {"", "x"}, "-": {"", "-"}, "./a:b": {"", "./a:b"}, "/a:b": {"", "/a:b"}, "a/b:c": {"", "a/b:c"}, "../a:b": {"", "../a:b"}, ":x": {"", ":x"},
	} {
		if container, path := splitCopyArg(arg); container != want[0] || path != want[1] {
			t.Errorf("%s: got %q and %q", arg, container, path)
		}
	}
}

// TestPlaceFor has the rules of docker cp.
func TestPlaceFor(t *testing.T) {
	file, dir := &api.PathInfo{Path: "/t/file", Type: api.TypeFile}, &api.PathInfo{Path: "/t/dir", Type: api.TypeDirectory}
	for _, test := range []struct {
		dir             bool
		written, target string
		is              *api.PathInfo
		want            place
		fails           bool
	}{
		{false, "src", "/t/new", nil, place{"/t", "new"}, false},
		{false, "src", "new", nil, place{".", "new"}, false},
		{false, "src", "/t/new/", nil, place{}, true},
		{false, "src", "/t/file", file, place{"/t", "file"}, false},
		{false, "src", "/t/dir", dir, place{"/t/dir", "src"}, false},
		{true, "src", "/t/new", nil, place{"/t", "new"}, false},
		{true, "src/.", "/t/new/", nil, place{"/t", "new"}, false},
		{true, "src", "/t/file", file, place{}, true},
		{true, "src", "/t/dir", dir, place{"/t/dir", "src"}, false},
		{true, "src/", "/t/dir", dir, place{"/t/dir", "src"}, false},
		{true, "src/.", "/t/dir", dir, place{"/t/dir", "."}, false},
		{true, ".", "/t/dir", dir, place{"/t/dir", "."}, false},
	} {
		got, err := placeFor(test.dir, test.written, "src", test.target, test.is)
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%+v: got %+v, %v", test, got, err)
		}
	}
}
