package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"strings"
)

const hostIDBytes = 16

// hostID gives the id of the host from a file beside the store, where it
// survives the store's loss: without it nothing on a backend would be ours. In
// a store that knows it, and in the file if it does not, want is written.
func hostID(path, want string) (string, error) {
	name := path + ".id"
	b, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	got := strings.TrimSpace(string(b))
	valid := len(got) == 2*hostIDBytes && strings.Trim(got, "0123456789abcdef") == ""
	switch {
	case want == "" && valid:
		return got, nil
	case want == "":
		random := make([]byte, hostIDBytes)
		rand.Read(random) // never fails
		want = hex.EncodeToString(random)
	case want == got:
		return want, nil
	}
	if err := os.WriteFile(name+".new", []byte(want+"\n"), 0o600); err != nil {
		return "", err
	}
	return want, os.Rename(name+".new", name)
}
