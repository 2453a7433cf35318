package output

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func openDir(t testing.TB) (*Dir, string) {
	t.Helper()
	state := t.TempDir()
	d, err := OpenDir(state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, state
}

func TestCreate(t *testing.T) {
	d, state := openDir(t)
	ref := executor.Ref{ID: "web", Attempt: 2}
	files, err := d.Create(ref, Layout{})
	if err != nil {
		t.Fatal(err)
	}
	want := Files{Ref: ref, Stdout: filepath.Join(state, "containers/web/2/stdout"), Stderr: filepath.Join(state, "containers/web/2/stderr")}
	if files != want {
		t.Errorf("files are %v, want %v", files, want)
	}
	for path, mode := range map[string]os.FileMode{
		filepath.Join(state, "containers"):       os.ModeDir | 0o700,
		filepath.Join(state, "containers/web"):   os.ModeDir | 0o700,
		filepath.Join(state, "containers/web/2"): os.ModeDir | 0o700,
		files.Stdout:                             0o600,
		files.Stderr:                             0o600,
		files.Stdout + ".index":                  0o600,
		files.Stderr + ".index":                  0o600,
	} {
		if st, err := os.Lstat(path); err != nil || st.Mode() != mode {
			t.Errorf("%s: mode %v, %v; want %v", path, st.Mode(), err, mode)
		}
	}
	// Repeated, it leaves what was written alone.
	if err := os.WriteFile(files.Stdout, []byte("kept"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(ref, Layout{}); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(files.Stdout); string(b) != "kept" {
		t.Errorf("after a second Create the file holds %q", b)
	}
	ref.Attempt = 3
	if files, err = d.Create(ref, Layout{Merged: true}); err != nil || !files.Layout.Merged {
		t.Errorf("merged: %v, %v", files, err)
	}
	for range 2 {
		if err := d.RemoveProcess(ref); err != nil {
			t.Error(err)
		}
		if err := d.Remove("web"); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(filepath.Join(state, "containers/web")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Remove: %v", err)
	}
}

func TestCreateRefusesForeignThings(t *testing.T) {
	for name, plant := range map[string]func(state, outside string) error{
		"container is a link": func(state, outside string) error {
			return os.Symlink(outside, filepath.Join(state, "containers/web"))
		},
		"container is a link inside": func(state, outside string) error {
			return errors.Join(os.Mkdir(filepath.Join(state, "containers/other"), 0o700), os.Symlink("other", filepath.Join(state, "containers/web")))
		},
		"container is a file": func(state, outside string) error {
			return os.WriteFile(filepath.Join(state, "containers/web"), nil, 0o600)
		},
		"attempt is a link": func(state, outside string) error {
			return errors.Join(os.Mkdir(filepath.Join(state, "containers/web"), 0o700), os.Symlink(outside, filepath.Join(state, "containers/web/1")))
		},
		"file is a link": func(state, outside string) error {
			return errors.Join(os.MkdirAll(filepath.Join(state, "containers/web/1"), 0o700), os.Symlink(filepath.Join(outside, "victim"), filepath.Join(state, "containers/web/1/stderr")))
		},
		"file is a second name": func(state, outside string) error {
			return errors.Join(os.MkdirAll(filepath.Join(state, "containers/web/1"), 0o700), os.Link(filepath.Join(outside, "victim"), filepath.Join(state, "containers/web/1/stderr")))
		},
		"file is a directory": func(state, outside string) error {
			return os.MkdirAll(filepath.Join(state, "containers/web/1/stdout"), 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, state := openDir(t)
			outside := t.TempDir()
			victim := filepath.Join(outside, "victim")
			if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := plant(state, outside); err != nil {
				t.Fatal(err)
			}
			if files, err := d.Create(executor.Ref{ID: "web", Attempt: 1}, Layout{}); err == nil {
				t.Errorf("Create returned %v", files)
			}
			if err := d.Remove("web"); err != nil {
				t.Errorf("Remove: %v", err)
			}
			if b, err := os.ReadFile(victim); string(b) != "precious" {
				t.Errorf("the file outside holds %q, %v", b, err)
			}
			if entries, _ := os.ReadDir(outside); len(entries) != 1 {
				t.Errorf("outside are %v", entries)
			}
		})
	}
}

func TestNamesThatEscape(t *testing.T) {
	d, _ := openDir(t)
	for _, ref := range []executor.Ref{{ID: "..", Attempt: 1}, {ID: "a/../../b", Attempt: 1}, {ID: "", Attempt: 1}, {ID: "web", Attempt: 0}, {ID: "web", Attempt: -1}} {
		if _, err := d.Create(ref, Layout{}); !errors.Is(err, executor.Invalid) {
			t.Errorf("Create(%v): %v, want invalid", ref, err)
		}
		if err := d.RemoveProcess(ref); !errors.Is(err, executor.Invalid) {
			t.Errorf("RemoveProcess(%v): %v, want invalid", ref, err)
		}
	}
	for _, id := range []string{"", ".", "..", "/", "a/b"} {
		if err := d.Remove(id); !errors.Is(err, executor.Invalid) {
			t.Errorf("Remove(%q): %v, want invalid", id, err)
		}
	}
}
