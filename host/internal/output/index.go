package output

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sort"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/notes"
)

// index is the index of a stream in memory: see package notes.
type index struct {
	f    *os.File // nil if there is none
	next int64    // offset to read on from
	list []notes.Note
	buf  []byte
}

// maxNotes bounds an index in memory. Beyond it each two notes become one, with a wider
// span.
const maxNotes = 256 << 10

// openIndex reads an index. One that does not exist is empty.
func openIndex(path string) (*index, error) {
	x := &index{}
	f, err := linux.Open(path, os.O_RDONLY|unix.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return nil, err
	}
	x.f = f
	x.next = firstData(f, 0) / notes.Size * notes.Size
	if err := x.refresh(); err != nil {
		x.close()
		return nil, err
	}
	return x, nil
}

// refresh reads the notes that were added.
func (x *index) refresh() error {
	if x.f == nil {
		return nil
	}
	if x.buf == nil {
		x.buf = make([]byte, 1024*notes.Size)
	}
	for {
		n, err := x.f.ReadAt(x.buf, x.next)
		for b := x.buf[:n]; len(b) >= notes.Size; b = b[notes.Size:] {
			// Anything else is the end of a hole, or a torn note.
			if n, ok := notes.Parse(b); ok && n.Offset > x.last().Offset {
				x.list = append(x.list, n)
			}
			x.next += notes.Size
		}
		if len(x.list) > maxNotes {
			x.thin()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// thin makes one note of each two.
func (x *index) thin() {
	kept := x.list[:0]
	for i := 1; i < len(x.list); i += 2 {
		n := x.list[i]
		n.Span = n.At.Sub(x.list[i-1].Begin())
		kept = append(kept, n)
	}
	if len(x.list)%2 == 1 {
		kept = append(kept, x.list[len(x.list)-1])
	}
	x.list = kept
}

// at returns the notes that cover an offset and what follows it.
func (x *index) at(offset int64) []notes.Note {
	return x.list[sort.Search(len(x.list), func(i int) bool { return x.list[i].Offset > offset }):]
}

// last returns the newest note, or the zero one.
func (x *index) last() notes.Note {
	if len(x.list) == 0 {
		return notes.Note{}
	}
	return x.list[len(x.list)-1]
}

// since returns the offset up to which everything was written before t.
func (x *index) since(t time.Time) int64 {
	i := sort.Search(len(x.list), func(i int) bool { return !x.list[i].At.Before(t) })
	if i == 0 {
		return 0
	}
	return x.list[i-1].Offset
}

func (x *index) close() {
	if x.f != nil {
		x.f.Close()
	}
}
