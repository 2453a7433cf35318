package api

import (
	"fmt"
	"time"
)

// Stream is one of a workload's output streams.
type Stream byte

// The output streams. Merged output counts as stdout.
const (
	Stdout Stream = 1
	Stderr Stream = 2

	// stdin has what a client sends to a process.
	stdin Stream = 3
	// control has messages between host and client instead of output.
	control Stream = 0
)

// String returns the stream's usual name.
func (s Stream) String() string {
	switch s {
	case control:
		return "control"
	case stdin:
		return "stdin"
	case Stdout:
		return "stdout"
	case Stderr:
		return "stderr"
	}
	return fmt.Sprintf("stream(%d)", byte(s))
}

// Sink receives output as it comes. data is valid only during the call. An error ends the
// reading.
type Sink func(s Stream, data []byte) error

// Cursor is a position in the output of a container: an attempt, and the offset of the
// next byte of each of its streams. Output is never renumbered. A cursor stays valid for
// as long as the output is kept, whatever happens to the host.
type Cursor struct {
	Attempt int   `json:"attempt"`
	Stdout  int64 `json:"stdout"`
	Stderr  int64 `json:"stderr"`
}

// LogOptions select output.
type LogOptions struct {
	// Attempt chooses one attempt of the container. 0 means all that are kept, in their
	// order. A negative number counts back from the present attempt: -1 is the one before.
	Attempt int
	// From is where to begin. The other bounds apply from there on. Offsets are those of
	// its attempt; the others begin at their beginning.
	From Cursor
	// Follow goes on until the container has ended and will not be started again by its
	// restart policy, or until the one attempt has ended. It waits for an attempt that
	// has not begun yet.
	Follow bool
	// Tail, unless nil, begins that many lines before the end, counted over all the
	// attempts.
	Tail *int
	// Stdout and Stderr choose streams; neither means both.
	Stdout, Stderr bool
	// Since and Until leave out what was written before and after a time, as far as times
	// are known; see [TimestampLayout]. Zero means no bound.
	Since, Until time.Time
	// Timestamps writes before each line the time at which it was written, in the form of
	// [TimestampLayout].
	Timestamps bool
	// Begun, if not nil, is called with the position where the output begins, and again
	// for each further attempt. Each byte
	// that goes to the sink, except timestamps, and each byte that was dropped moves the
	// offset of its stream on by one. So a reader knows where to go on later.
	Begun func(Cursor) error
	// Dropped, if not nil, is called for output that is not kept any more, before the
	// output that follows it goes to the sink.
	Dropped func(s Stream, bytes int64) error
}

// TimestampLayout is the layout of the timestamps before lines, for the time package: RFC
// 3339 in UTC with all digits of a nanosecond, as Docker writes it. So lines sort.
//
// A timestamp ends with a space. Before it stands "~" and a duration, such as ~1.2s, if
// the time is not certain: the line was written then, or up to that much earlier. Davit's
// own shim, and the executors process and wasm, know the time of each line. Other shims
// do not, and the host looks at what they have written once a second, and when it starts.
const TimestampLayout = "2006-01-02T15:04:05.000000000Z"

// Attachment has the callbacks of a caller that runs a container in the foreground.
type Attachment struct {
	// Started, if not nil, is called once the container runs, before the others.
	Started func(Container) error
	// Output receives the output; nil leaves it out.
	Output Sink
	// Dropped, if not nil, is called for output that is not kept any more, because the
	// container wrote more than its limit before Output received it.
	Dropped func(s Stream, bytes int64) error
}
