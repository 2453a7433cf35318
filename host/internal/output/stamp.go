package output

import (
	"bytes"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/notes"
)

// stamper puts a time before each line of a stream that comes in pieces.
type stamper struct {
	within bool // the last piece ended within a line
	buf    []byte
}

// stamped is about how much a stamper passes on at once. Much more than that would be
// split when it is sent, perhaps within a timestamp.
const stamped = 128 << 10

func (s *stamper) stamp(c Chunk, pass func([]byte) error) error {
	s.buf = s.buf[:0]
	at, came := c.Offset, c.Notes
	for line := range bytes.Lines(c.Data) {
		if len(s.buf) >= stamped {
			if err := pass(s.buf); err != nil {
				return err
			}
			s.buf = s.buf[:0]
		}
		for len(came) > 1 && came[0].Offset <= at {
			came = came[1:]
		}
		at += int64(len(line))
		if !s.within {
			s.buf = appendStamp(s.buf, came[0], at)
		}
		s.buf = append(s.buf, line...)
		s.within = line[len(line)-1] != '\n'
	}
	return pass(s.buf)
}

// uncertain is the span from which on a timestamp shows it.
const uncertain = 10 * time.Millisecond

// appendStamp appends the time of a line that begins within a note and ends at end. The
// note has the time of its last line. Of the lines before it is known only that they came
// within its span.
func appendStamp(b []byte, n notes.Note, end int64) []byte {
	b = n.At.UTC().AppendFormat(b, api.TimestampLayout)
	if end < n.Offset && n.Span >= uncertain {
		b = append(b, '~')
		b = append(b, roughly(n.Span).String()...)
	}
	return append(b, ' ')
}

// roughly rounds a span up to a few digits.
func roughly(span time.Duration) time.Duration {
	unit := time.Millisecond
	switch {
	case span >= 10*time.Second:
		unit = time.Second
	case span >= time.Second:
		unit = 100 * time.Millisecond
	}
	return (span + unit - 1).Truncate(unit)
}
