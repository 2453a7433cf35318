package failpoint

import (
	"os"
	"path/filepath"
)

// Rename is os.Rename with a place before and after it, named for the file: it is
// how state is written.
func Rename(from, to string) error {
	return around(Place("state", filepath.Base(to)), func() error { return os.Rename(from, to) })
}

// Remove is os.Remove with a place before and after it, named for who removes.
func Remove(path string) error {
	return around(Place("remove", ""), func() error { return os.Remove(path) })
}

// RemoveAll is os.RemoveAll with a place before and after it, named for who
// removes.
func RemoveAll(path string) error {
	return around(Place("remove", ""), func() error { return os.RemoveAll(path) })
}

func around(place string, do func() error) error {
	if err := Hit(place); err != nil {
		return err
	}
	defer Leave(place)
	return do()
}
