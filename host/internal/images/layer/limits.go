package layer

import (
	"context"
	"io"

	"github.com/davit-run/davit/shared/executor"
)

// Limits bound what a layer unpacks to.
type Limits struct {
	// Bytes is the size of the archive, with what its sparse files stand for. 0 means
	// [DefaultBytes].
	Bytes int64
	// Entries is the number of files, directories and so on. 0 means [DefaultEntries].
	Entries int
	// Paths is how many bytes the paths of all directories take, which are kept in memory
	// until the end. 0 means [DefaultPaths].
	Paths int64
}

const (
	// DefaultBytes is larger than any layer that was seen: those with machine learning
	// models have some 30 GB.
	DefaultBytes = 256 << 30
	// DefaultEntries is four times as many as the largest layer that was seen has.
	DefaultEntries = 4 << 20
	// DefaultPaths is enough for two million directories.
	DefaultPaths = 256 << 20
	// maxTrailer is how much may follow the end of an archive: padding to the size of a
	// tape's record.
	maxTrailer = 16 << 20
)

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = DefaultBytes
	}
	if l.Entries == 0 {
		l.Entries = DefaultEntries
	}
	if l.Paths == 0 {
		l.Paths = DefaultPaths
	}
	return l
}

// limited is a reader that fails after a number of bytes, or when a context ends.
type limited struct {
	ctx  context.Context
	r    io.Reader
	left int64
	what string
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.ctx.Err() != nil {
		return 0, context.Cause(l.ctx)
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, executor.Errorf(executor.Invalid, "%s", l.what)
	}
	return n, err
}
