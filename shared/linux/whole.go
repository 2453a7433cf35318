package linux

import (
	"bytes"
	"os"
)

// WriteWhole writes a file of our own, which is whole at any time. Nobody else may write
// it meanwhile. It takes the room that [Reserve] has taken.
func WriteWhole(path string, b []byte) error {
	if err := overwrite(draft(path), b); err != nil {
		return err
	}
	return os.Rename(draft(path), path)
}

// reserved is how much room is reserved for a file, in bytes: a block of most file systems.
const reserved = 4096

// Reserve takes the room on the disk for a small file, so that one [WriteWhole] of it
// succeeds when the disk is full. The file does not exist until then.
func Reserve(path string) error {
	return overwrite(draft(path), bytes.Repeat([]byte{' '}, reserved)) // a hole takes no room
}

// draft returns the name under which a file is written.
func draft(path string) string { return path + "~" }

// overwrite makes b the content of a file. What the file had of blocks before is used
// again, and freed only if it is not needed.
func overwrite(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Truncate(int64(len(b)))
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
