package api

import (
	"context"
	"net/http"
)

// outputStream is the type of replies that consist of frames.
type outputStream struct{}

// message is the contents of a frame of the stream control. One member is set.
type message struct {
	Container *Container `json:"container,omitempty"`
	Cursor    *Cursor    `json:"cursor,omitempty"`
	Dropped   *dropped   `json:"dropped,omitempty"`
	// Begun is the first message to an attached client. Taken says up to which offset the
	// process was given its input. Detached answers a client that wanted that.
	Begun    *StreamsBegun `json:"begun,omitempty"`
	Taken    *int64        `json:"taken,omitempty"`
	Detached bool          `json:"detached,omitempty"`
	Ping     bool          `json:"ping,omitempty"`
	End      *End          `json:"end,omitempty"`
	Error    *failure      `json:"error,omitempty"`
}

// dropped describes output that is not kept any more.
type dropped struct {
	Stream Stream `json:"stream"`
	Bytes  int64  `json:"bytes"`
}

// frames writes frames as a response, and flushes each at once. While a slow client reads
// one, the output that comes meanwhile collects into the next by itself.
type frames struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	enc   *encoder
	begun bool
}

func newFrames(w http.ResponseWriter) *frames {
	w.Header().Set("Content-Type", "application/vnd.davit.stream") // an error before the first frame has another
	return &frames{w: w, rc: http.NewResponseController(w), enc: newEncoder(w)}
}

func (f *frames) write(s Stream, data []byte) error {
	f.begun = true
	if err := f.enc.write(s, data); err != nil {
		return err
	}
	return f.rc.Flush()
}

func (f *frames) send(m message) error {
	line, err := encode(m)
	if err != nil {
		return err
	}
	return f.write(control, line)
}

// fail sends an error, or returns it if it can still become the response.
func (f *frames) fail(ctx context.Context, err error) error {
	if err == nil || !f.begun {
		return err
	}
	_ = f.send(message{Error: failureOf(cause(ctx, err))}) // fails if the client has gone
	return nil
}

// container, cursor and dropped are callbacks of the host.
func (f *frames) container(c Container) error { return f.send(message{Container: &c}) }

func (f *frames) cursor(c Cursor) error { return f.send(message{Cursor: &c}) }

func (f *frames) dropped(s Stream, bytes int64) error {
	return f.send(message{Dropped: &dropped{s, bytes}})
}

// end sends the end of an attempt, unless there was an error.
func (f *frames) end(ctx context.Context, end *End, err error) error {
	if err == nil {
		err = f.send(message{End: end})
	}
	return f.fail(ctx, err)
}
