package transport

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestCountValues(t *testing.T) {
	for text, want := range map[string]int{
		`1`: 1, `""`: 1, `{}`: 2, `[]`: 2, `[{},{}]`: 5, `[1,2,3]`: 4, `{"a":{"b":[1,2]},"c":3}`: 6,
		`"a,{[\",{["`: 1, `["\\",{}]`: 4,
	} {
		if got := countValues([]byte(text)); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

// TestAmplification checks that what an executor sends in 15 MB takes no gigabyte here; 1 MB shows it as well,
// for each method that has a reply.
func TestAmplification(t *testing.T) {
	many := func(one string) json.RawMessage {
		return json.RawMessage("[" + strings.Repeat(one+",", 1<<20/(len(one)+1)) + one + "]")
	}
	bodies := map[string]json.RawMessage{
		"structs": many("{}"), "lists": many("[]"), "strings": many(`""`), "numbers": many("1"), "nulls": many("null"),
		"in an object": json.RawMessage(`{"description":{"config":{"attributes":` + string(many("{}")) + `}}}`),
	}
	for name, body := range bodies {
		host, plugin := pair(t, nil, Handlers{
			MethodList.Name:  func(context.Context, []byte) (any, error) { return body, nil },
			MethodHello.Name: func(context.Context, []byte) (any, error) { return body, nil },
		})
		_ = plugin
		c := Client{Conn: host}
		if _, err := c.List(t.Context()); !errors.Is(err, ErrBadReply) {
			t.Errorf("list, %s: got %v, want a bad reply", name, err)
		}
		if _, err := c.Hello(t.Context(), Hello{}); !errors.Is(err, ErrBadReply) || !strings.Contains(err.Error(), "JSON values, at most ") {
			t.Errorf("hello, %s: got %v, want too many values", name, err)
		}
		// And what it reports.
		if _, err := MethodExited.Handler(func(context.Context, executor.Status) (None, error) { return None{}, nil })(t.Context(), body); !errors.Is(err, executor.Invalid) {
			t.Errorf("exited, %s: got %v, want invalid", name, err)
		}
	}
}

// TestListOfTenThousand makes sure that the bound is above what is real.
func TestListOfTenThousand(t *testing.T) {
	code, oom := 137, false
	one := executor.Status{
		Ref: executor.Ref{ID: strings.Repeat("a", 16), Attempt: 123456}, State: executor.Released, PID: 1234567, Runtime: "io.containerd.runc.v2",
		Exit: &executor.Exit{Code: &code, Signal: 9, OOM: &oom, Source: executor.Observed}, Output: executor.Complete,
	}
	all := make([]executor.Status, 10_000)
	for i := range all {
		all[i] = one
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if n := countValues(body); n > MethodList.MaxReply {
		t.Errorf("got %d values, the limit is %d", n, MethodList.MaxReply)
	}
}
