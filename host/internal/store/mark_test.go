package store

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStoreThatIsBehind(t *testing.T) {
	const known = "0123456789abcdef0123456789abcdef"
	for name, tt := range map[string]struct {
		reopen  bool     // between the copy and the loss
		putBack bool     // the copy
		remove  []string // suffixes of what is removed
		spoil   bool     // the mark
		opts    Options
		want    string // part of the description, or "" for nil
		newID   bool
	}{
		"nothing happened":            {},
		"older, of the same start":    {putBack: true, want: "an older one that was put back"},
		"older, of an earlier start":  {putBack: true, reopen: true, want: "an older one that was put back"},
		"older, without a mark":       {putBack: true, remove: []string{".mark"}},
		"older, with a mark of noise": {putBack: true, spoil: true},
		"missing":                     {remove: []string{""}, want: "is missing"},
		"missing, with its mark":      {remove: []string{"", ".mark"}, want: "is missing"},
		"missing, with its id":        {remove: []string{"", ".id"}, want: "is missing", newID: true},
		"all of it missing":           {remove: []string{"", ".id", ".mark"}, newID: true},
		"all of it missing, id known": {remove: []string{"", ".id", ".mark"}, opts: Options{HostID: known}, want: "is missing", newID: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			s := openAt(t, path, Options{BootID: "one"})
			first := s.Info()
			if first.Behind != nil {
				t.Errorf("a new store is behind: %v", first.Behind)
			}
			mustUpdate(t, s, create("a1"))
			older, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			mustUpdate(t, s, create("a2"))
			if tt.reopen {
				mustClose(t, s)
				s = openAt(t, path, Options{BootID: "one"})
			}
			before := s.Info()
			var last uint64
			mustView(t, s, func(tx *Tx) (err error) {
				_, last, err = tx.Cursors()
				return err
			})
			mustClose(t, s)
			if tt.putBack {
				if err := os.WriteFile(path, older, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, suffix := range tt.remove {
				if err := os.Remove(path + suffix); err != nil {
					t.Fatal(err)
				}
			}
			if tt.spoil {
				if err := os.WriteFile(path+".mark", []byte("noise"), 0o600); err != nil {
					t.Fatal(err)
				}
			}

			tt.opts.BootID = "two"
			s = openAt(t, path, tt.opts)
			got := s.Info()
			text := ""
			if got.Behind != nil {
				text = got.Behind.String()
			}
			if !strings.Contains(text, tt.want) || (tt.want == "") != (text == "") {
				t.Errorf("got %q, want %q", text, tt.want)
			}
			if (got.HostID != first.HostID) != tt.newID || tt.opts.HostID != "" && got.HostID != tt.opts.HostID {
				t.Errorf("the host id is %s, was %s", got.HostID, first.HostID)
			}
			if tt.want == "" {
				return
			}
			if got.Epoch <= before.Epoch {
				t.Errorf("epoch %d follows %d", got.Epoch, before.Epoch)
			}
			if got.Rebooted != (tt.putBack || !slices.Contains(tt.remove, ".mark")) {
				t.Errorf("rebooted is %t", got.Rebooted)
			}
			mustView(t, s, func(tx *Tx) error {
				oldest, _, err := tx.Cursors()
				if oldest <= last {
					t.Errorf("events go on at %d, and %d had been used", oldest, last)
				}
				if _, err := tx.Container("a1"); tt.putBack != (err == nil) {
					t.Errorf("a1: %v", err)
				}
				return err
			})
			mustClose(t, s)
			s = openAt(t, path, Options{BootID: "two"})
			if got := s.Info(); got.Incomplete() {
				t.Errorf("the next start: %v, %v", got.Damage, got.Behind)
			}
			mustClose(t, s)
		})
	}
}
