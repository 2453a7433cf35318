package output

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"sort"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/internal/stream"
)

// entry is a record of an index, which tells when output was written: the bytes
// of a stream from the entry before up to Offset came in the time Span before
// At, the last of them at At.
type entry struct {
	stream stream.Stream
	offset int64
	at     time.Time
	span   time.Duration
}

// On disk an entry is its offset and time (8 bytes each, big-endian, the time in
// nanoseconds since 1970), span (4, in microseconds, saturated), stream (1), a
// zero, and 2 bytes of the CRC32C of all that.
const entrySize = 24

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e entry) append(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(e.offset))
	b = binary.BigEndian.AppendUint64(b, uint64(e.at.UnixNano()))
	b = binary.BigEndian.AppendUint32(b, uint32(min(e.span.Microseconds(), math.MaxUint32)))
	b = append(b, byte(e.stream), 0)
	return binary.BigEndian.AppendUint16(b, uint16(crc32.Checksum(b[start:], castagnoli)))
}

func parseEntry(b []byte) (e entry, ok bool) {
	if binary.BigEndian.Uint16(b[22:]) != uint16(crc32.Checksum(b[:22], castagnoli)) {
		return entry{}, false
	}
	e = entry{
		stream: stream.Stream(b[20]),
		offset: int64(binary.BigEndian.Uint64(b)),
		at:     time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))),
		span:   time.Duration(binary.BigEndian.Uint32(b[16:])) * time.Microsecond,
	}
	return e, e.stream == stream.Stdout || e.stream == stream.Stderr
}

// appendEntry adds an entry to an index file, which it makes if need be.
func appendEntry(path string, e entry) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if torn := st.Size() % entrySize; torn != 0 { // by a disk that was full
		if err := f.Truncate(st.Size() - torn); err != nil {
			return err
		}
	}
	_, err = f.Write(e.append(nil))
	return err
}

// trimIndex drops the entries in front that tell of dropped output alone, if
// they are many. Lows gives where each stream begins.
func trimIndex(path string, lows map[stream.Stream]int64) error {
	x := &index{}
	if err := x.open(path); err != nil || x.f == nil {
		return err
	}
	defer x.close()
	start := x.next
	err := x.read(func(e entry) bool { return e.offset <= lows[e.stream] })
	if err == nil && x.next-start > indexSlack {
		_, err = punchFile(path, x.next)
	}
	return err
}

// index holds the entries of an attempt in memory.
type index struct {
	f       *os.File // nil if there is none
	next    int64    // offset to read on from
	entries map[stream.Stream][]entry
	buf     []byte
}

// openIndex reads an index. One that does not exist is empty.
func openIndex(path string) (*index, error) {
	x := &index{entries: make(map[stream.Stream][]entry)}
	if err := x.open(path); err != nil {
		return nil, err
	}
	if err := x.refresh(); err != nil {
		x.close()
		return nil, err
	}
	return x, nil
}

func (x *index) open(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	x.f = f
	x.next = firstData(f, 0) / entrySize * entrySize
	return nil
}

// refresh takes in the entries that were added.
func (x *index) refresh() error {
	return x.read(func(e entry) bool {
		if list := x.entries[e.stream]; e.offset > x.last(e.stream).offset {
			x.entries[e.stream] = append(list, e)
		}
		return true
	})
}

// read goes on through the file while visit is true.
func (x *index) read(visit func(entry) bool) error {
	if x.f == nil {
		return nil
	}
	if x.buf == nil {
		x.buf = make([]byte, 1024*entrySize)
	}
	for {
		n, err := x.f.ReadAt(x.buf, x.next)
		for b := x.buf[:n]; len(b) >= entrySize; b = b[entrySize:] {
			// What is no entry is the end of a hole, or torn.
			if e, ok := parseEntry(b); ok && !visit(e) {
				return nil
			}
			x.next += entrySize
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// at gives the entry that covers an offset: the first one beyond it.
func (x *index) at(s stream.Stream, offset int64) (entry, bool) {
	list := x.entries[s]
	i := sort.Search(len(list), func(i int) bool { return list[i].offset > offset })
	if i == len(list) {
		return entry{}, false
	}
	return list[i], true
}

// last gives the newest entry of a stream, or the zero one.
func (x *index) last(s stream.Stream) entry {
	if list := x.entries[s]; len(list) > 0 {
		return list[len(list)-1]
	}
	return entry{stream: s}
}

// since gives the offset below which all was written before t.
func (x *index) since(s stream.Stream, t time.Time) int64 {
	list := x.entries[s]
	i := sort.Search(len(list), func(i int) bool { return !list[i].at.Before(t) })
	if i == 0 {
		return 0
	}
	return list[i-1].offset
}

func (x *index) close() {
	if x.f != nil {
		x.f.Close()
	}
}
