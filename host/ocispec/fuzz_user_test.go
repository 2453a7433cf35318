package ocispec_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// FuzzUser checks that a user by name never becomes root through files of a root file
// system that do not say so.
func FuzzUser(f *testing.F) {
	f.Add([]byte("bob:x:1000:1000::/:/bin/sh\n"), []byte("wheel:x:10:bob\n"))
	f.Add([]byte("bob:x:not-a-uid:10\n"), []byte("wheel:x::bob\n"))
	f.Add([]byte("bob:x: 1002 :10\nbob"), []byte(":::bob"))
	f.Add([]byte("bob:x:4294967296:0x0\n"), []byte(""))
	rootfs := f.TempDir()
	if err := os.Mkdir(filepath.Join(rootfs, "etc"), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, passwd, group []byte) {
		for name, text := range map[string][]byte{"passwd": passwd, "group": group} {
			if err := os.WriteFile(filepath.Join(rootfs, "etc", name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh"}, User: "bob"})
		if err != nil {
			return
		}
		var spec specs.Spec
		if err := json.Unmarshal(raw, &spec); err != nil {
			t.Fatal(err)
		}
		if spec.Process.User.UID == 0 && !saysRoot(passwd) {
			t.Errorf("%q made bob root", passwd)
		}
	})
}

// saysRoot reports whether a line gives the uid 0, in whatever digits.
func saysRoot(passwd []byte) bool {
	for line := range strings.Lines(string(passwd)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) > 2 && fields[0] == "bob" && fields[2] != "" && strings.Trim(fields[2], "0") == "" {
			return true
		}
	}
	return false
}
