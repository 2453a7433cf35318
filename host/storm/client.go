package storm

import (
	"bytes"
	"context"
	"encoding/json"
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
	req, err := http.NewRequestWithContext(ctx, method, "http://davit/v1"+path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		failure := &statusError{status: resp.StatusCode}
		if err := json.Unmarshal(text, failure); err != nil {
			failure.Message = string(text)
		}
		return failure
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// run runs a davit command. It gives what comes on stdout, or on stderr, to read.
func (c *client) run(ctx context.Context, stderr bool, read func(io.Reader) error, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.davit, args...)
	cmd.Env = append(os.Environ(), "DAVIT_HOST="+c.socket)
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
	readErr := read(out)
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("davit %s: %w: %s", args[0], err, other.Bytes())
	}
	return readErr
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

func (c *client) inspect(ctx context.Context, id string) (containerView, error) {
	var all []containerView
	err := c.run(ctx, false, func(r io.Reader) error { return json.NewDecoder(r).Decode(&all) }, "inspect", id)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("davit inspect gave %d containers", len(all))
	}
	if err != nil {
		return containerView{}, err
	}
	return all[0], nil
}

// event is a line of `davit events --format json`.
type event struct {
	Seq       uint64
	Type      string
	Container string
	Data      map[string]string
}
