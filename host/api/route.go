package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// route is one route of the API. H is an interface with what the route needs of a host,
// one method as a rule. Request is a struct whose fields are the parameters, see bind.go.
// Reply is encoded as JSON; it is [none] if there is nothing to reply, and a marker type
// such as eventStream for streams.
type route[H, Request, Reply any] struct {
	// Name is the name of the method of [Client] that makes the request.
	Name string
	// Method is the HTTP method. Path may have parameters, each a whole segment: {ref}.
	Method, Path string
	// Doc says what the request does: a verb and its object, without a full stop.
	Doc string
	// NeedsBody means that a request without a body is refused.
	NeedsBody bool
	// Monitoring means that [ServeMonitoring] serves it, too.
	Monitoring bool
	// Serve answers a request.
	Serve func(ctx context.Context, h H, r *Request) (Reply, error)
	// Stream, instead of Serve, writes the response as it comes. It returns only errors
	// that occur before the first byte.
	Stream func(ctx context.Context, h H, r *Request, w http.ResponseWriter) error
	// Upgrade, instead of Serve, serves a client on a connection that is no longer HTTP, and
	// returns the end of the process that it was attached to.
	Upgrade func(ctx context.Context, h H, r *Request, d *duplex) (*End, error)
}

// none is an empty request or reply.
type none struct{}

// entry is a route in the table.
type entry interface {
	info() RouteInfo
	pattern() string
	answer(s *handler, w http.ResponseWriter, r *http.Request) error
	servedBy(s *handler) bool
	// streamed reports whether the body of requests is a stream.
	streamed() bool
	monitoring() bool
	// allParameters returns the names of what requests may have, for Access.
	allParameters() []string
	operation(s *schemas) map[string]any
}

// table has all routes. It is complete after the initialization of the package.
var table []entry

// define adds a route to the table.
func define[H, Request, Reply any](r route[H, Request, Reply]) *route[H, Request, Reply] {
	table = append(table, &r)
	return &r
}

// RouteInfo describes a route.
type RouteInfo struct {
	// Name is the name of the method of [Client] that makes the request.
	Name   string `json:"name"`
	Method string `json:"method"`
	Path   string `json:"path"`
	// Doc is a line that says what the request does.
	Doc        string      `json:"doc"`
	Parameters []Parameter `json:"parameters,omitempty"`
	// Reply is the type of the reply: one of this package, a stream, or nothing.
	Reply string `json:"reply,omitempty"`
}

// Parameter describes a parameter of a request.
type Parameter struct {
	Name string `json:"name"`
	// In is path, query, body or stream. Parameters in the body are members of one JSON
	// object. A stream is all of the body.
	In string `json:"in"`
	// Type is a type of JSON, or the media type of a stream. Times, durations and signals
	// are strings.
	Type string `json:"type"`
}

// Routes returns all routes, by path and method.
func Routes() []RouteInfo {
	all := make([]RouteInfo, len(table))
	for i, e := range table {
		all[i] = e.info()
	}
	slices.SortFunc(all, func(a, b RouteInfo) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	})
	return all
}

// Unserved returns the routes that need a method which h does not have.
func Unserved(h any) (missing []RouteInfo) {
	s := newHandler(h, Options{})
	for _, e := range table {
		if !e.servedBy(s) {
			missing = append(missing, e.info())
		}
	}
	return missing
}

func (r *route[H, Request, Reply]) pattern() string { return r.Method + " " + r.Path }

func (r *route[H, Request, Reply]) info() RouteInfo {
	reply := reflect.TypeFor[Reply]().String()
	reply = strings.ReplaceAll(strings.TrimPrefix(reply, "*"), "api.", "")
	if reply == "none" {
		reply = ""
	}
	return RouteInfo{Name: r.Name, Method: r.Method, Path: r.Path, Doc: r.Doc, Parameters: parameters(reflect.TypeFor[Request]()), Reply: reply}
}

// server returns the value that answers: the host, or the handler itself.
func (r *route[H, Request, Reply]) server(s *handler) (h H, ok bool) {
	if h, ok = s.host.(H); !ok {
		h, ok = any(s).(H)
	}
	return h, ok
}

func (r *route[H, Request, Reply]) servedBy(s *handler) bool {
	_, ok := r.server(s)
	return ok
}

func (r *route[H, Request, Reply]) streamed() bool { return streamed(reflect.TypeFor[Request]()) }

func (r *route[H, Request, Reply]) monitoring() bool { return r.Monitoring }

// answer serves a request.
func (r *route[H, Request, Reply]) answer(s *handler, w http.ResponseWriter, hr *http.Request) error {
	h, ok := r.server(s)
	if !ok {
		return executor.Errorf(executor.Unsupported, "this host does not serve %s %s", r.Method, r.Path)
	}
	var req Request
	if err := readRequest(w, hr, &req, r.NeedsBody); err != nil {
		return err
	}
	asked, err := s.admit(hr.Context(), r.Name, &req)
	if err != nil {
		return err
	}
	if r.streamed() {
		defer untilDone(w, hr)()
	}
	if r.Stream != nil {
		return r.Stream(hr.Context(), h, &req, w)
	}
	if r.Upgrade != nil {
		s.duplexes.Add(1)
		defer s.duplexes.Done()
		d, err := newDuplex(w, hr)
		if err != nil {
			return err
		}
		defer d.close()
		end, err := r.Upgrade(d.ctx, h, &req, d)
		return d.finish(end, err)
	}
	reply, err := r.Serve(hr.Context(), h, &req)
	if err != nil {
		return err
	}
	asked.hide(&reply)
	status := http.StatusOK
	if s, ok := any(reply).(statusReply); ok {
		status = s.httpStatus()
	}
	switch v := reflect.ValueOf(reply); {
	case v.Type() == reflect.TypeFor[none]():
		w.WriteHeader(http.StatusNoContent)
	case v.Kind() == reflect.Slice && v.IsNil():
		s.reply(w, http.StatusOK, []none{}) // JSON says [], not null
	default:
		s.reply(w, status, reply)
	}
	return nil
}

// open makes the request and returns the response, or the error in it. The caller closes
// the body.
func (r *route[H, Request, Reply]) open(ctx context.Context, c *Client, in Request) (*http.Response, error) {
	target, body, err := writeRequest(r.Path, &in)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, r.Method, target, body)
}

// upgrade makes the request, and returns the response whose body is the connection.
func (r *route[H, Request, Reply]) upgrade(ctx context.Context, c *Client, in Request) (*http.Response, error) {
	target, body, err := writeRequest(r.Path, &in)
	if err != nil {
		return nil, err
	}
	return c.upgrade(ctx, r.Method, target, body)
}

// call makes the request and returns the reply.
func (r *route[H, Request, Reply]) call(ctx context.Context, c *Client, in Request) (reply Reply, err error) {
	resp, err := r.open(ctx, c, in)
	if err != nil {
		return reply, err
	}
	defer resp.Body.Close()
	raw, err := c.readAll(ctx, resp)
	if err != nil || len(raw) == 0 && any(reply) == any(none{}) {
		return reply, err
	}
	if err := json.Unmarshal(raw, &reply); err != nil {
		return reply, fmt.Errorf("answer of the host at %s: %w", c.socket, err)
	}
	return reply, nil
}
