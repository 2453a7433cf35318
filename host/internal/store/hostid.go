package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"strings"

	"github.com/davit-run/davit/shared/linux"
)

const hostIDBytes = 16

// keptHostID returns the id in the file beside a store, or "" if there is none.
func keptHostID(path string) (string, error) {
	b, err := linux.ReadFile(path+".id", 4096)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	got := strings.TrimSpace(string(b))
	if err != nil || !ValidHostID(got) {
		return "", err
	}
	return got, nil
}

// ValidHostID reports whether an id is one of a host.
func ValidHostID(id string) bool {
	return len(id) == 2*hostIDBytes && strings.Trim(id, "0123456789abcdef") == ""
}

// hostID returns the id of the host: want, or a new one if that is empty. It is written to
// a file beside the store unless that has it already. So the id survives the loss of the
// store: without it the host would know nothing on a backend as its own.
func hostID(path, want, kept string) (string, error) {
	if want == "" {
		random := make([]byte, hostIDBytes)
		rand.Read(random) // never fails
		want = hex.EncodeToString(random)
	}
	if want == kept {
		return want, nil
	}
	name := path + ".id"
	if err := os.WriteFile(name+".new", []byte(want+"\n"), 0o600); err != nil {
		return "", err
	}
	return want, os.Rename(name+".new", name)
}
