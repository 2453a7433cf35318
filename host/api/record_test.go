package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/davit-run/davit/host/rigs/gobuild"
)

// openAPIChecker is the program that compares answers with the OpenAPI document. It is apart, as
// what it needs would be in the go.sum of all clients.
const openAPIChecker = "../rigs/openapi/cmd/davit-openapi-check"

// TestMain checks at last that the OpenAPI document describes what the tests have asked the
// handler, and what it has answered.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && len(exchanges.all) > 0 {
		check := exec.Command("go", "run", openAPIChecker)
		check.Env = append(os.Environ(), gobuild.Flags()...)
		text, err := json.Marshal(map[string]any{"document": OpenAPI(), "exchanges": exchanges.list()})
		check.Stdin = bytes.NewReader(text)
		if err == nil {
			var out []byte
			if out, err = check.CombinedOutput(); err != nil {
				err = fmt.Errorf("%w\n%s", err, out)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "the OpenAPI document is not right:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// seen is a request and its answer. Bodies that are not JSON are left out.
type seen struct {
	Method   string `json:"method"`
	Path     string `json:"path"`
	Query    string `json:"query"`
	Request  string `json:"request"`
	Status   int    `json:"status"`
	Media    string `json:"media"`
	Response string `json:"response"`
}

// exchanges are what the clients of tests have seen, each once.
var exchanges = exchangeSet{all: map[seen]bool{}}

// maxExchange is the size of the bodies that are kept.
const maxExchange = 64 << 10

// recorded returns a transport that keeps what is asked and answered.
func recorded(next http.RoundTripper) http.RoundTripper { return recording{next} }

type recording struct{ next http.RoundTripper }

func (r recording) CloseIdleConnections() {
	if c, ok := r.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (r recording) RoundTrip(req *http.Request) (*http.Response, error) {
	e := seen{Method: req.Method, Path: req.URL.EscapedPath(), Query: req.URL.RawQuery}
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			text, _ := io.ReadAll(io.LimitReader(body, maxExchange))
			e.Request = string(text)
		}
	}
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	e.Status, e.Media = resp.StatusCode, resp.Header.Get("Content-Type")
	switch e.Media {
	case "application/json":
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(text))
		if err != nil {
			resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text), broken{err}))
		}
		if e.Response = string(text); err == nil && len(text) <= maxExchange {
			exchanges.keep(e)
		}
	case "application/x-ndjson":
		resp.Body = &lines{ReadCloser: resp.Body, e: e}
	default:
		exchanges.keep(e)
	}
	return resp, nil
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// lines keeps each line of a stream.
type lines struct {
	io.ReadCloser
	e    seen
	rest string
}

func (l *lines) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	l.rest += string(p[:n])
	for {
		line, rest, ok := strings.Cut(l.rest, "\n")
		if !ok {
			return n, err
		}
		e := l.e
		e.Response = line
		exchanges.keep(e)
		l.rest = rest
	}
}

// exchangeSet is safe for concurrent use.
type exchangeSet struct {
	mu  sync.Mutex
	all map[seen]bool
}

func (x *exchangeSet) keep(e seen) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.all) < 10_000 { // a test of throughput has more
		x.all[e] = true
	}
}

func (x *exchangeSet) list() []seen {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Collect(maps.Keys(x.all))
}
