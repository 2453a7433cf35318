package storm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// client uses a host as a program of a user would: HTTP on the socket, and the
// command line.
type client struct {
	davit  string // the binary
	socket string
	http   http.Client
}

func newClient(davit, socket string) *client {
	c := &client{davit: davit, socket: socket}
	c.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}
	return c
}

// statusError is an answer that is no success.
type statusError struct {
	status        int
	Code, Message string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.Code, e.Message) }

// call makes a request. An error that is no *statusError means that there was no
// answer.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	resp, err := c.open(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Close()
	text, err := io.ReadAll(resp)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// get returns the whole answer to a request.
func (c *client) get(ctx context.Context, path string) ([]byte, error) {
	resp, err := c.open(ctx, "GET", path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Close()
	return io.ReadAll(resp)
}

// open makes a request and returns the body of an answer that is a success.
func (c *client) open(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://davit/v1"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 && resp.StatusCode != http.StatusAccepted { // which is a promise
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	failure := &statusError{status: resp.StatusCode}
	if err := json.Unmarshal(text, failure); err != nil {
		failure.Message = string(text)
	}
	return nil, failure
}

// stream returns the data of a stream of frames to read. Each frame has a header of
// 8 bytes, of which the first is the stream and the last four are the length.
func (c *client) stream(ctx context.Context, path string, read func(io.Reader) error) error {
	body, err := c.open(ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	out, in := io.Pipe()
	go func() { in.CloseWithError(unframe(in, body)) }()
	err = read(out)
	_ = out.Close()
	return err
}

func unframe(w io.Writer, r io.Reader) error {
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err // io.EOF between frames
		}
		data := io.LimitReader(r, int64(binary.BigEndian.Uint32(head[4:])))
		if head[0] == 0 { // the host has something to say
			text, err := io.ReadAll(data)
			if err != nil || !bytes.HasPrefix(text, []byte(`{"cursor":`)) { // how far we have read
				return fmt.Errorf("the stream has a message: %s %w", text, err)
			}
			continue
		}
		if _, err := io.Copy(w, data); err != nil {
			return err
		}
	}
}

// command returns a davit command.
func (c *client) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.davit, args...)
	cmd.Env = append(os.Environ(), "DAVIT_HOST="+c.socket)
	return cmd
}

// run runs a davit command. It returns what comes on stdout, or on stderr, to read,
// without what davit says there itself: that its host has gone, and is back.
func (c *client) run(ctx context.Context, stderr bool, read func(io.Reader) error, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := c.command(ctx, args...)
	var other bytes.Buffer
	cmd.Stdout, cmd.Stderr = &other, &other
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	if stderr {
		cmd.Stderr = in
	} else {
		cmd.Stdout = in
	}
	err = cmd.Start()
	_ = in.Close()
	if err != nil {
		return err
	}
	lines := withoutLines(out, "davit: ")
	readErr := read(lines)
	_, _ = io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("davit %s: %w: %s", args[0], err, other.Bytes())
	}
	return readErr
}

// withoutLines passes over the lines that begin with a prefix.
func withoutLines(r io.Reader, prefix string) io.Reader {
	pr, pw := io.Pipe()
	go func() { // ends with r, all of which the caller reads
		lines := bufio.NewReaderSize(r, 64<<10)
		for begin, drop := true, false; ; {
			text, err := lines.ReadSlice('\n')
			if begin {
				drop = bytes.HasPrefix(text, []byte(prefix))
			}
			begin = bytes.HasSuffix(text, []byte{'\n'})
			if !drop {
				if _, werr := pw.Write(text); werr != nil {
					return
				}
			}
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				_ = pw.CloseWithError(err) // io.EOF is the end
				return
			}
		}
	}()
	return pr
}

// containerView is what is looked at of a container.
type containerView struct {
	ID, State, Error string
	Attempt, PID     int
	Exit             *struct {
		Code                   *int
		Signal                 int
		Source, Reason, Output string
	}
}

// inspect returns a container, by the API or the command line.
func (c *client) inspect(ctx context.Context, id string, command bool) (containerView, error) {
	if !command {
		var v containerView
		err := c.call(ctx, "GET", "/containers/"+id, nil, &v)
		return v, err
	}
	var all []containerView
	err := c.run(ctx, false, func(r io.Reader) error { return json.NewDecoder(r).Decode(&all) }, "inspect", id)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("davit inspect returned %d containers", len(all))
	}
	if err != nil {
		return containerView{}, err
	}
	return all[0], nil
}
