package containers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// etcDir returns the directory of a container's files for /etc, which is beside its
// output. The executor finds it by its end, ID/etc, which is part of the contract with
// package specfields.
func (m *Manager) etcDir(id string) string {
	return filepath.Join(m.outputs.ContainerDir(id), "etc")
}

// makeEtc makes the files for /etc that a container's spec mounts. Those that exist stay
// as they are: the container may have changed them.
func (m *Manager) makeEtc(id string, spec json.RawMessage) error {
	dir := m.etcDir(id)
	var read struct {
		Hostname string `json:"hostname"`
		Mounts   []struct {
			Source string `json:"source"`
		} `json:"mounts"`
	}
	if err := json.Unmarshal(spec, &read); err != nil {
		return err
	}
	var missing []string
	for _, mount := range read.Mounts {
		if name := filepath.Base(mount.Source); filepath.Dir(mount.Source) == dir && slices.Contains(ocispec.EtcFiles(), name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if read.Hostname == "" { // the machine's own
		read.Hostname, _ = os.Hostname()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return executor.ExplainDisk(dir, executor.Errorf(executor.Unavailable, "files for /etc of %s: %w", id, err))
	}
	for _, name := range missing {
		if err := writeNew(filepath.Join(dir, name), etcFile(name, read.Hostname)); err != nil {
			return executor.ExplainDisk(dir, executor.Errorf(executor.Unavailable, "files for /etc of %s: %w", id, err))
		}
	}
	return nil
}

// etcFile returns what a file below /etc says in a container that has no network yet:
// its name is its own, and name servers are those of this machine.
func etcFile(name, hostname string) string {
	switch name {
	case "hostname":
		return hostname + "\n"
	case "hosts":
		// The line of the name is for programs that ask for their own address.
		return fmt.Sprintf("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n127.0.1.1\t%s\n", hostname)
	case "resolv.conf":
		text, _ := os.ReadFile("/etc/resolv.conf") // a machine may have none
		return string(text)
	}
	return ""
}

// writeNew writes a file that every user may read, whole or not at all, unless there is
// one.
func writeNew(path, text string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
