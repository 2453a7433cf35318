// Package tree tells trees of files apart by one sum.
package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sum returns the sum of a tree: of the paths and contents of its files, in any order. files
// calls yield for each.
func Sum(files func(yield func(path string, content io.Reader) error) error) (string, error) {
	var all []string
	err := files(func(path string, content io.Reader) error {
		sum := sha256.New()
		if _, err := io.Copy(sum, content); err != nil {
			return err
		}
		all = append(all, fmt.Sprintf("%s\x00%x\n", path, sum.Sum(nil)))
		return nil
	})
	if err != nil {
		return "", err
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, "")))
	return hex.EncodeToString(sum[:]), nil
}

// SumDir returns the sum of the files of a directory. One that does not exist has none.
func SumDir(dir string) (string, error) {
	return Sum(func(yield func(string, io.Reader) error) error {
		return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && path == dir {
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			relative, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			return yield(relative, f)
		})
	})
}
