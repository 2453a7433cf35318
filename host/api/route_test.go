package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// TestRoutes checks that each route is whole: a doc line, a name, parameters.
func TestRoutes(t *testing.T) {
	if missing := Unserved(&fake{}); len(missing) > 0 {
		t.Errorf("the tests' host does not serve %v", missing)
	}
	doc := regexp.MustCompile(`^[a-z]+s .*[^.]$`)
	names := map[string]bool{}
	for _, r := range Routes() {
		if !doc.MatchString(r.Doc) {
			t.Errorf("%s: the doc line %q does not begin with a verb such as starts, or ends in a full stop", r.Name, r.Doc)
		}
		if names[r.Name] {
			t.Errorf("two routes are called %s", r.Name)
		}
		names[r.Name] = true
		for segment := range strings.SplitSeq(r.Path, "/") {
			name := strings.Trim(segment, "{}")
			if name != segment && !slices.Contains(r.Parameters, Parameter{Name: name, In: "path", Type: "string"}) {
				t.Errorf("%s: the request does not have %s", r.Name, segment)
			}
		}
		for _, p := range r.Parameters {
			if p.Name == "" || p.Name == "-" {
				t.Errorf("%s: a parameter has no name: %+v", r.Name, p)
			}
		}
	}
	for _, e := range table {
		v := reflect.ValueOf(e).Elem()
		ways := 0
		for _, way := range []string{"Serve", "Stream", "Upgrade"} {
			if !v.FieldByName(way).IsNil() {
				ways++
			}
		}
		if ways != 1 {
			t.Errorf("%s: one of Serve, Stream and Upgrade is wanted", e.pattern())
		}
	}
}

// TestClientMethods calls the method of each route, and looks at what it asks for.
func TestClientMethods(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]bool{}
	mux := http.NewServeMux()
	for _, r := range Routes() {
		pattern := r.Method + " " + r.Path
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			asked[pattern] = true
		})
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	client := NewClient("/nowhere")
	client.http = http.Client{Transport: rewrite(server.URL)}
	for _, r := range Routes() {
		method := reflect.ValueOf(client).MethodByName(r.Name)
		if !method.IsValid() {
			t.Errorf("there is no method Client.%s for %s %s", r.Name, r.Method, r.Path)
			continue
		}
		args := make([]reflect.Value, method.Type().NumIn())
		for i := range args {
			args[i] = reflect.New(method.Type().In(i)).Elem()
			switch arg := args[i].Addr().Interface().(type) {
			case *context.Context:
				*arg = t.Context()
			case *string:
				*arg = "x"
			case *int:
				*arg = 1
			}
		}
		if method.Type().IsVariadic() {
			args = args[:len(args)-1]
		}
		if out := method.Call(args); out[0].Kind() == reflect.Func { // a sequence
			out[0].Call([]reflect.Value{reflect.MakeFunc(out[0].Type().In(0), func([]reflect.Value) []reflect.Value {
				return []reflect.Value{reflect.ValueOf(false)}
			})})
		}
		mu.Lock()
		if !asked[r.Method+" "+r.Path] {
			t.Errorf("Client.%s does not ask for %s %s", r.Name, r.Method, r.Path)
		}
		mu.Unlock()
	}
}

// rewrite sends requests to another server.
type rewrite string

func (to rewrite) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Host = strings.TrimPrefix(string(to), "http://")
	return http.DefaultTransport.RoundTrip(r)
}

// TestPartialHost serves what has only some of a host's methods.
func TestPartialHost(t *testing.T) {
	h := NewHandler(struct{}{}, Options{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/containers", nil))
	if w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), `"code":"unsupported"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if got := len(Unserved(struct{}{})); got != len(Routes())-3 {
		t.Errorf("%d routes are not served by nothing, want all but the three about the API itself of %d", got, len(Routes()))
	}
}

// TestRoutesOfAHost asks a host for its routes.
func TestRoutesOfAHost(t *testing.T) {
	c, _ := serveFake(t, &fake{})
	if got, err := c.Routes(t.Context()); err != nil || !reflect.DeepEqual(got, Routes()) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestPauseAndResume passes both on to the host, and the error back.
func TestPauseAndResume(t *testing.T) {
	var got []string
	note := func(what string) func(context.Context, string) error {
		return func(_ context.Context, ref string) error {
			got = append(got, what+" "+ref)
			return executor.Errorf(executor.Unsupported, "no")
		}
	}
	c, _ := serveFake(t, &fake{pause: note("pause"), resume: note("resume")})
	for _, err := range []error{c.Pause(t.Context(), "a/b"), c.Resume(t.Context(), "web")} {
		if executor.CodeOf(err) != executor.Unsupported {
			t.Errorf("got %v, want unsupported", err)
		}
	}
	if want := []string{"pause a/b", "resume web"}; !slices.Equal(got, want) {
		t.Errorf("the host got %q, want %q", got, want)
	}
}

// TestStatsAndProcesses asks the host for both.
func TestStatsAndProcesses(t *testing.T) {
	c, _ := serveFake(t, &fake{pause: func(_ context.Context, ref string) error {
		if ref != "a/b" {
			return executor.Errorf(executor.Unsupported, "no")
		}
		return nil
	}})
	if d, err := c.Diff(t.Context(), "a/b"); err != nil || len(d) != 1 || d[0] != (Change{"/a/b", ChangeAdded}) {
		t.Errorf("diff: got %v, %v", d, err)
	}
	if i, err := c.Commit(t.Context(), "a/b", CommitOptions{Name: "n", Changes: []string{"x", "y"}}); err != nil || i.ID != "a/b{n   [x y] false}" {
		t.Errorf("commit: got %v, %v", i, err)
	}
	if s, err := c.Stats(t.Context(), "a/b"); err != nil || !slices.Equal(s.PIDs, []int{3}) {
		t.Errorf("stats: got %+v, %v", s, err)
	}
	if list, err := c.Processes(t.Context(), "a/b"); err != nil || len(list) != 1 || list[0].PID != 3 {
		t.Errorf("processes: got %+v, %v", list, err)
	}
	if _, err := c.Stats(t.Context(), "web"); executor.CodeOf(err) != executor.Unsupported {
		t.Errorf("got %v, want unsupported", err)
	}
}

// TestLight checks what a program links that only talks to a host.
func TestLight(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{
		"github.com/davit-run/davit/host/api", "github.com/davit-run/davit/host/diag", "github.com/davit-run/davit/host/ocispec", "github.com/davit-run/davit/host/publish",
		"github.com/davit-run/davit/host/internal/strict", "github.com/davit-run/davit/shared/executor", "github.com/davit-run/davit/shared/linux", "github.com/davit-run/davit/shared/trace", "github.com/davit-run/davit/shared/trust",
		"github.com/docker/go-units", "github.com/moby/sys/signal", "github.com/moby/sys/user",
		"github.com/opencontainers/runtime-spec/specs-go", "golang.org/x/sys/unix",
	}
	for pkg := range strings.FieldsSeq(string(out)) {
		first, _, _ := strings.Cut(pkg, "/")
		if strings.Contains(first, ".") && !slices.Contains(allowed, pkg) {
			t.Errorf("package api needs %s", pkg)
		}
	}
	// Those of its tests are in the go.sum of clients, too.
	out, err = exec.Command("go", "list", "-f", `{{join .TestImports " "}} {{join .XTestImports " "}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(out)) {
		first, _, _ := strings.Cut(pkg, "/")
		if strings.Contains(first, ".") && !strings.HasPrefix(pkg, "github.com/davit-run/davit/") && !slices.Contains(allowed, pkg) {
			t.Errorf("the tests of package api need %s", pkg)
		}
	}
}

func ExampleRoutes() {
	for _, r := range Routes() {
		if r.Path == "/v1/containers/{ref}/kill" {
			fmt.Println(r.Method, r.Path, "–", r.Doc)
			fmt.Println(r.Parameters)
		}
	}
	// Output:
	// POST /v1/containers/{ref}/kill – sends a signal, KILL unless another is named, to a container's first process
	// [{ref path string} {signal body string}]
}
