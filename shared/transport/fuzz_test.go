package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/rpc"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

// FuzzGuard checks that the guard passes on what came, up to where it cuts, in whatever
// pieces it comes.
func FuzzGuard(f *testing.F) {
	f.Add([]byte(nil), uint8(1))
	f.Add(append(wireFrame(frameData, flagSYN, 2, 1, "x"), wireFrame(frameData, flagFIN, 2, 0, "")...), uint8(5))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), uint8(3))
	f.Fuzz(func(t *testing.T, came []byte, piece uint8) {
		read := func(piece int) (got []byte, why error) {
			g := guard(&canned{r: bytes.NewReader(came)})
			for buf := make([]byte, piece); ; {
				n, err := g.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					return got, g.reason()
				}
			}
		}
		got, why := read(max(1, int(piece)))
		if !bytes.HasPrefix(came, got) || why == nil && len(got) != len(came) {
			t.Errorf("got %d bytes of %d: %v", len(got), len(came), why)
		}
		if _, whole := read(len(came) + 1); (whole == nil) != (why == nil) {
			t.Errorf("in pieces of %d: %v; at once: %v", piece, why, whole)
		}
	})
}

// canned is a connection from which what is there can be read.
type canned struct {
	net.Conn
	r io.Reader
}

func (c *canned) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c *canned) Write(p []byte) (int, error) { return len(p), nil }
func (c *canned) Close() error                { return nil }

// FuzzEnvelope serves whatever a peer sends in place of calls.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("\x00"))
	var call bytes.Buffer
	s := newGobStream(&buffered{&call})
	if err := s.write(&rpc.Request{ServiceMethod: methodDo, Seq: 1}, &Request{ID: 1, Method: "list", Body: []byte(`{}`)}); err != nil {
		f.Fatal(err)
	}
	f.Add(call.Bytes())
	f.Add(call.Bytes()[:call.Len()/2])
	f.Fuzz(func(t *testing.T, sent []byte) {
		serve(&canned{r: bytes.NewReader(sent)}, Handlers{"list": func(context.Context, []byte) (any, error) { return nil, nil }}, hclog.NewNullLogger())
	})
}

type buffered struct{ *bytes.Buffer }

func (*buffered) Close() error { return nil }

// FuzzRequests decodes a body as the request of each method. One that is accepted is
// about a process that can exist.
func FuzzRequests(f *testing.F) {
	for _, m := range BackendMethods() {
		body, err := json.Marshal(m.Request)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"ref":{"id":"a","attempt":1},"signal":9,"stdio":{"stdout":{"kind":"file","path":"/x"}},"spec":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, m := range BackendMethods() {
			in, err := m.Decode(body)
			if err == nil && in.Ref != (executor.Ref{}) && in.Ref.Validate() != nil {
				t.Errorf("%s: %q was accepted, about %v", m.Name, body, in.Ref)
			}
		}
	})
}

// answers calls with one body.
type answers struct{ body []byte }

func (a answers) Offers(executor.Capability) bool { return true }

func (a answers) Call(_ context.Context, _ string, _, out any) error {
	if out == nil {
		return nil
	}
	return json.Unmarshal(a.body, out)
}

// FuzzReplies takes a body as the reply of an executor, to each kind of call. What is
// accepted makes sense.
func FuzzReplies(f *testing.F) {
	ref := executor.Ref{ID: "a", Attempt: 1}
	for _, body := range []string{
		`{"ref":{"id":"a","attempt":1},"state":"running","pid":7}`, `[{"ref":{"id":"a","attempt":1},"state":"released","exit":{"code":0,"source":"observed"},"output":"complete"}]`,
		`{"ref":{"id":"a","attempt":1},"state":"exited","exit":{"code":null,"source":"lost","reason":"x"}}`, `{"name":"runc","resolved":{}}`, `[{},{},{}]`, `null`,
		`{"protocol":1,"pid":1,"description":{"name":"x","config":{"attributes":[{}]}}}`, `{"ref":{"id":"a","attempt":1},"state":"running","pid":-1}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a := answers{body}
		var all []executor.Status
		if s, err := MethodCreate.Call(t.Context(), a, executor.Workload{Ref: ref}); err == nil {
			all = append(all, s)
		}
		if s, err := MethodRestore.Call(t.Context(), a, RestoreRequest{Ref: ref}); err == nil {
			all = append(all, s)
		}
		if list, err := MethodList.Call(t.Context(), a, None{}); err == nil {
			all = append(all, list...)
		}
		for _, s := range all {
			if err := s.Validate(); err != nil {
				t.Errorf("%q was accepted: %v", body, err)
			}
		}
		_, herr := MethodHello.Call(t.Context(), a, Hello{})
		_, rerr := MethodRuntimeResolve.Call(t.Context(), a, "")
		_, verr := MethodValidate.Call(t.Context(), a, executor.Settings{})
		for _, err := range []error{herr, rerr, verr} {
			if err != nil && json.Valid(body) && !errors.Is(err, ErrBadReply) {
				t.Errorf("%q: got %v, want a bad reply", body, err)
			}
		}
	})
}

// FuzzCountValues checks that the count is never less than the values that there are.
func FuzzCountValues(f *testing.F) {
	for _, text := range []string{`[{},{"a":[1,2]},"x,{["]`, `"\""`, `[[[[]]]]`, `{"a":{"b":null}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v any
		if json.Unmarshal(text, &v) != nil {
			return
		}
		if got, want := countValues(text), valuesIn(v); got < want {
			t.Errorf("%q: got %d, it has %d", text, got, want)
		}
	})
}

func valuesIn(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += valuesIn(e)
		}
	case map[string]any:
		for _, e := range v {
			n += valuesIn(e)
		}
	}
	return n
}
