// Package notes is the file beside an output file in which is noted when the output
// came.
//
// Whoever copies the output of a workload can note the time of each piece. A host that
// finds no such notes looks at the size of the file now and then, and appends notes of
// its own: [Note.Sampled].
//
// # Rationale
//
// Why is the time not in the output itself? The file is then what the workload wrote,
// byte by byte, and offsets in it are those of the stream.
//
// Why a file for each stream? Its front is dropped together with that of the output. In
// a common file, an early note of a quiet stream would keep all that a busy one has.
package notes

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"os"
	"sort"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/linux"
)

// Note says when a piece of a stream was written: the bytes from the offset of the note
// before up to Offset came within Span before At, the last of them at At.
type Note struct {
	Offset int64
	At     time.Time
	Span   time.Duration
	// Sampled says that somebody looked at the file, and did not see the bytes come.
	Sampled bool
}

// Size is the size of a note on disk: its offset and time (8 bytes each, big-endian, the
// time in nanoseconds since 1970), span (4, in milliseconds, rounded up), 1 if it is
// sampled (1), a zero, and 2 bytes of the CRC32C of all that.
const Size = 24

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Begin returns the time after which the bytes came.
func (n Note) Begin() time.Time { return n.At.Add(-n.Span) }

// Append appends the note as it is on disk.
func (n Note) Append(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(n.Offset))
	b = binary.BigEndian.AppendUint64(b, uint64(n.At.UnixNano()))
	span := (max(0, n.Span) + time.Millisecond - 1) / time.Millisecond
	b = binary.BigEndian.AppendUint32(b, uint32(min(span, math.MaxUint32)))
	var sampled byte
	if n.Sampled {
		sampled = 1
	}
	b = append(b, sampled, 0)
	return binary.BigEndian.AppendUint16(b, uint16(crc32.Checksum(b[start:], castagnoli)))
}

// Parse parses a note of at least Size bytes. ok is false for a hole, and for one that
// was torn by a full disk.
func Parse(b []byte) (n Note, ok bool) {
	if binary.BigEndian.Uint16(b[22:]) != uint16(crc32.Checksum(b[:22], castagnoli)) {
		return Note{}, false
	}
	n = Note{
		Offset:  int64(binary.BigEndian.Uint64(b)),
		At:      time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))),
		Span:    time.Duration(binary.BigEndian.Uint32(b[16:])) * time.Millisecond,
		Sampled: b[20] != 0,
	}
	return n, n.Offset > 0
}

// Open opens a file of notes to append to it, with further flags. It follows no link.
func Open(path string, flags int) (*os.File, error) {
	return linux.Open(path, os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW|flags)
}

// Write appends encoded notes to a file. What a full disk has left of a note before is
// cut off.
func Write(f *os.File, encoded []byte) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if torn := st.Size() % Size; torn != 0 {
		if err := f.Truncate(st.Size() - torn); err != nil {
			return err
		}
	}
	_, err = f.Write(encoded)
	return err
}

// Last returns the last note of a file, or the zero one.
func Last(f *os.File) Note {
	st, err := f.Stat()
	if err != nil {
		return Note{}
	}
	var b [Size]byte
	if _, err := f.ReadAt(b[:], st.Size()/Size*Size-Size); err != nil {
		return Note{}
	}
	n, _ := Parse(b[:])
	return n
}

// slack is how much of a file may be about dropped output.
const slack = 1 << 20

// Trim drops the notes about output below an offset, if they are many.
func Trim(f *os.File, low int64) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	first, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return nil
	}
	if err != nil {
		first = 0 // a file system without holes
	}
	first /= Size
	var b [Size]byte
	needed := sort.Search(int(st.Size()/Size-first), func(i int) bool {
		if _, err := f.ReadAt(b[:], (first+int64(i))*Size); err != nil {
			return !errors.Is(err, io.EOF)
		}
		n, ok := Parse(b[:])
		return ok && n.Offset > low
	})
	if int64(needed)*Size <= slack {
		return nil
	}
	_, err = linux.Punch(f, (first+int64(needed))*Size)
	return err
}
