// Package hostsfile keeps lines in a file such as /etc/hosts while others read it, and write
// to it as well.
//
// # Rationale
//
// Why is the file not replaced? It is mounted into a container, where a new file of the same
// name does not arrive. And whoever reads while it is written anew misses lines, or sees half
// of one. So a line comes by one write at the end of the file, which crosses no page, and goes
// by one of a single byte, which makes it a comment. A reader sees each line whole, or not at
// all.
package hostsfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// mark ends the lines that are kept by this package, as a comment.
const mark = "\t# davit"

// maxSize is how large a file may be, in bytes. Who is in the container can write to it.
const maxSize = 1 << 20

// Sync makes lines the ones that are kept in a file, and leaves all others alone. They have no
// newline. It does nothing, and returns nil, if there is no file. Nobody else may call Sync
// for the file meanwhile.
func Sync(path string, lines []string) error {
	f, text, err := open(path)
	if f == nil {
		return err
	}
	defer f.Close()
	missing := make([]string, len(lines))
	for i, line := range lines {
		missing[i] = line + mark + "\n"
	}
	var gone []int64
	offset, end := int64(0), int64(0) // end is where only comments follow
	for line := range bytes.Lines(text) {
		if kept(string(line)) {
			if i := slices.Index(missing, string(line)); i >= 0 {
				missing = slices.Delete(missing, i, i+1)
			} else {
				gone = append(gone, offset)
			}
		}
		offset += int64(len(line))
		if !bytes.HasPrefix(line, []byte("#")) || !bytes.HasSuffix(line, []byte(mark+"\n")) {
			end = offset
		}
	}
	if end < offset { // else the file would grow for as long as containers come and go
		if err := f.Truncate(end); err != nil {
			return err
		}
		text = text[:end]
	}
	if err := add(f, text, missing); err != nil {
		return err
	}
	return comment(path, gone)
}

// Move gives the names that lines of a file have for an address another address, or none if to
// is empty, except in lines that Sync keeps. It does nothing, and returns nil, if there is no
// file. Nobody else may call Sync or Move for the file meanwhile.
func Move(path, from, to string) error {
	f, text, err := open(path)
	if f == nil {
		return err
	}
	defer f.Close()
	var gone []int64
	var moved strings.Builder
	offset := int64(0)
	for line := range bytes.Lines(text) {
		names, ok := bytes.CutPrefix(line, []byte(from+"\t"))
		if ok && !kept(string(line)) {
			gone = append(gone, offset)
			if to != "" {
				moved.WriteString(to + "\t" + strings.TrimSuffix(string(names), "\n") + "\n")
			}
		}
		offset += int64(len(line))
	}
	if len(gone) == 0 {
		return nil
	}
	if to != "" {
		if err := add(f, text, []string{moved.String()}); err != nil {
			return err
		}
	}
	return comment(path, gone)
}

// open opens a file for appending, and reads it. It returns no file and no error if there is
// none.
func open(path string) (*os.File, []byte, error) {
	f, err := linux.Open(path, os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s has more than %d bytes, and is left alone", path, maxSize)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, text, nil
}

// kept reports whether a line of a file has the mark, and is no comment.
func kept(line string) bool {
	return strings.HasSuffix(strings.TrimSuffix(line, "\n"), mark) && !strings.HasPrefix(line, "#")
}

// pageSize is how much a write makes visible at once, in bytes.
const pageSize = 4096

// add appends pieces, which are whole lines, to a file that has a text. Each is written at once.
func add(f *os.File, text []byte, pieces []string) error {
	size := len(text)
	write := func(s string) error {
		size += len(s)
		_, err := f.WriteString(s)
		return err
	}
	if size > 0 && text[size-1] != '\n' && len(pieces) > 0 {
		if err := write("\n"); err != nil {
			return err
		}
	}
	for _, piece := range pieces {
		if room := pageSize - size%pageSize; room < len(piece) && len(piece) <= pageSize {
			if err := write(padding(room)); err != nil {
				return err
			}
		}
		if err := write(piece); err != nil {
			return err
		}
	}
	return nil
}

// padding returns a comment of so many bytes.
func padding(size int) string {
	if size <= len("#"+mark+"\n") {
		return strings.Repeat("\n", size)
	}
	return "#" + strings.Repeat(" ", size-len("#"+mark+"\n")) + mark + "\n"
}

// comment makes comments of the lines that begin at offsets. A file that is open for appending
// cannot be written at an offset.
func comment(path string, offsets []int64) error {
	if len(offsets) == 0 {
		return nil
	}
	f, err := linux.Open(path, os.O_WRONLY|unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, at := range offsets {
		if _, err := f.WriteAt([]byte("#"), at); err != nil {
			return err
		}
	}
	return nil
}
