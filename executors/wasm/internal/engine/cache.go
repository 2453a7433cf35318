package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
)

const (
	sumFile = "sum"
	// draftPrefix is the prefix of directories that are being made or removed.
	draftPrefix = ".draft-"
)

// cached calls compile with a cache for a module. A damaged cache is made again. If
// the cache cannot be read or written, the module is compiled without it.
func cached(dir string, module []byte, compile func(wazero.CompilationCache) error) error {
	sum := sha256.Sum256(module)
	entry := filepath.Join(dir, hex.EncodeToString(sum[:]))
	if want, err := os.ReadFile(filepath.Join(entry, sumFile)); err == nil && string(want) == checksum(entry) {
		now := time.Now()
		_ = os.Chtimes(entry, now, now) // for Prune
		if err := with(entry, compile); err == nil {
			return nil
		}
	}
	discard(dir, entry)
	draft, err := os.MkdirTemp(dir, draftPrefix)
	if err == nil {
		defer os.RemoveAll(draft)
		if err = with(draft, compile); err == nil {
			if os.WriteFile(filepath.Join(draft, sumFile), []byte(checksum(draft)), 0o600) == nil {
				_ = os.Rename(draft, entry) // fails if somebody else was faster
			}
			return nil
		}
	}
	return compile(wazero.NewCompilationCache())
}

func with(dir string, compile func(wazero.CompilationCache) error) error {
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return err
	}
	return compile(cache)
}

// checksum returns the checksum of all that wazero has put into a directory.
func checksum(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	table := crc32.MakeTable(crc32.Castagnoli)
	var b strings.Builder
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return ""
		}
		h := crc32.New(table)
		n, err := io.Copy(h, f)
		_ = f.Close()
		if err != nil {
			return ""
		}
		fmt.Fprintf(&b, "%s %d %08x\n", filepath.Base(path), n, h.Sum32())
	}
	return b.String()
}

// discard removes an entry, if there is one. It disappears at once for others.
func discard(dir, entry string) {
	if _, err := os.Lstat(entry); err != nil {
		return
	}
	draft, err := os.MkdirTemp(dir, draftPrefix)
	if err != nil {
		return
	}
	defer os.RemoveAll(draft)
	_ = os.Rename(entry, filepath.Join(draft, "entry"))
}

// Prune removes from a cache what nobody has used for the duration age, and what
// killed processes have left.
func Prune(dir string, age time.Duration) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > age {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
