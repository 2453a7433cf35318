package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// copied is more than the buffers between host and client hold.
var copied = bytes.Repeat([]byte("0123456789abcdef"), 1<<18)

// TestArchives copies both ways, and passes the options on.
func TestArchives(t *testing.T) {
	var asked string
	var got []byte
	c, _ := serveFake(t, &fake{archive: func(_ context.Context, what string, w io.Writer, r io.Reader) (err error) {
		asked = what
		if w != nil {
			_, err = w.Write(copied)
		}
		if r != nil {
			got, err = io.ReadAll(r)
		}
		return err
	}})
	info, err := c.StatPath(t.Context(), "web", "/a b", true)
	if err != nil || info.Path != "/a b" || info.Type != TypeFile || info.Mode != 0o4755 || asked != "stat web/a btrue" {
		t.Errorf("got %+v, %v; the host was asked for %q", info, err, asked)
	}
	var b bytes.Buffer
	if err := c.CopyFrom(t.Context(), "web", CopyFromOptions{Path: "/x", Follow: true, Name: "y"}, &b); err != nil || !bytes.Equal(b.Bytes(), copied) || asked != "from web{/x true y}" {
		t.Errorf("got %d bytes, %v; the host was asked for %q", b.Len(), err, asked)
	}
	b.Reset()
	if err := c.Export(t.Context(), "web", &b); err != nil || !bytes.Equal(b.Bytes(), copied) || asked != "export web" {
		t.Errorf("got %d bytes, %v; the host was asked for %q", b.Len(), err, asked)
	}
	if err := c.CopyTo(t.Context(), "web", CopyToOptions{Path: "/x", KeepOwners: true}, bytes.NewReader(copied)); err != nil || !bytes.Equal(got, copied) || asked != "to web{/x true}" {
		t.Errorf("the host got %d bytes, %v; it was asked for %q", len(got), err, asked)
	}
	// Whoever knows nothing of the client gets a tar stream, and an end that says so.
	a := raw(t, c, http.MethodGet, "/v1/containers/web/export", "")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/x-tar" || a.body != string(copied) {
		t.Errorf("got %d %v, %d bytes", a.status, a.header, len(a.body))
	}
}

// TestArchiveErrors checks that an error in the middle is one at the client, with its code.
func TestArchiveErrors(t *testing.T) {
	wanted := executor.Errorf(executor.FailedPrecondition, "it\nshrank: ü")
	for name, before := range map[string]int{"at the beginning": 0, "in the middle": len(copied)} {
		c, _ := serveFake(t, &fake{archive: func(_ context.Context, _ string, w io.Writer, r io.Reader) error {
			if w != nil {
				_, _ = w.Write(copied[:before])
			}
			if r != nil {
				_, _ = io.ReadFull(r, make([]byte, before))
			}
			return wanted
		}})
		var b bytes.Buffer
		if err := c.CopyFrom(t.Context(), "web", CopyFromOptions{}, &b); !errors.Is(err, executor.FailedPrecondition) || err.Error() != wanted.Error() || b.Len() != before {
			t.Errorf("%s: from: got %d bytes, %v", name, b.Len(), err)
		}
		// The client is still sending, without an end, when the answer comes.
		endless, w := io.Pipe()
		go func() {
			for {
				if _, err := w.Write(copied); err != nil {
					return
				}
			}
		}()
		if err := c.CopyTo(t.Context(), "web", CopyToOptions{}, endless); !errors.Is(err, executor.FailedPrecondition) || err.Error() != wanted.Error() {
			t.Errorf("%s: to: got %v", name, err)
		}
		_ = endless.Close()
	}
}

// TestArchiveBreaks checks both sides when the other one goes away.
func TestArchiveBreaks(t *testing.T) {
	seen := make(chan error, 1)
	began := make(chan struct{}, 1)
	c, stop := serveFake(t, &fake{archive: func(ctx context.Context, _ string, w io.Writer, r io.Reader) (err error) {
		if r != nil {
			_, err = io.Copy(io.Discard, r)
			seen <- err
			return err
		}
		began <- struct{}{}
		for err == nil {
			_, err = w.Write(copied)
		}
		seen <- err
		return err
	}})
	broken := errors.New("the disk of the client is broken")
	err := c.CopyTo(t.Context(), "web", CopyToOptions{}, io.MultiReader(bytes.NewReader(copied), failing{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("a source that fails: got %v", err)
	}
	if err := <-seen; err == nil {
		t.Error("the host took a part for the whole")
	}
	err = c.CopyFrom(t.Context(), "web", CopyFromOptions{}, failing{broken})
	if !errors.Is(err, broken) {
		t.Errorf("a sink that fails: got %v", err)
	}
	if <-seen == nil {
		t.Error("the host wrote to nobody")
	}
	<-began
	done := make(chan error, 1)
	go func() { done <- c.CopyFrom(t.Context(), "web", CopyFromOptions{}, io.Discard) }()
	<-began
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-done; !Unreachable(err) || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("a host that stops: got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }
