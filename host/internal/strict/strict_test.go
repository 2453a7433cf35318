package strict

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

type sample struct {
	embedded
	Name  string            `json:"name"`
	Tree  *sample           `json:"tree,omitempty"`
	List  []sample          `json:"list"`
	Map   map[string]sample `json:"map"`
	Raw   json.RawMessage   `json:"raw"`
	Time  time.Time         `json:"time"`
	Any   any               `json:"any"`
	Plain int
}

type embedded struct {
	Deep string `json:"deep"`
}

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"a","tree":{"name":"b"},"list":[{"deep":"c"}],"map":{"A":{},"a":{}},"any":{"x":1,"X":2},"Plain":1}`: "",
		`{"name":"a","name":"b"}`:                 `the document has both "name" and "name"; keep one of them`,
		`{"name":"a","NAME":"b"}`:                 `the document has both "name" and "NAME"; keep one of them`,
		`{"Name":"a"}`:                            `"Name" must be written "name"`,
		`{"Deep":"a"}`:                            `"Deep" must be written "deep"`,
		`{"plain":1}`:                             `"plain" must be written "Plain"`,
		`{"tree":{"list":[{},{"Name":"a"}]}}`:     `"tree.list[1].Name" must be written "name"`,
		`{"map":{"x":{"Name":""}}}`:               `"map.x.Name" must be written "name"`,
		`{"map":{"x":{},"x":{}}}`:                 `"map" has both "x" and "x"; keep one of them`,
		`{"any":[{"x":1,"x":2}]}`:                 `"any[0]" has both "x" and "x"; keep one of them`,
		`{"raw":{"Name":"a","x":1,"x":2}}`:        `"raw" has both "x" and "x"; keep one of them`,
		`{"unknown":{"x":{"y":1,"y":2}}}`:         `"unknown.x" has both "y" and "y"; keep one of them`,
		`{"name":"a"}{}`:                          `the document holds more than one JSON value`,
		strings.Repeat(`[`, 20_000):               `values are nested too deep`,
		`{"tree":{"nam\u0065":"a","name":"b"}}`:   `"tree" has both "name" and "name"; keep one of them`,
		`{"tr\u0065e":{"N\u0041ME":"a"}}`:         `"tree.NAME" must be written "name"`,
		`{"time":"2026-01-01T00:00:00Z","raw":0}`: "",
	} {
		err := Check([]byte(text), reflect.TypeFor[sample]())
		if got := message(err); got != want {
			t.Errorf("%.100s\n got %s\nwant %s", text, got, want)
		}
	}
	if err := Check([]byte(`{"HOOKS":{"prestart":[{"path":"/evil"}]}}`), reflect.TypeFor[specs.Spec]()); message(err) != `"HOOKS" must be written "hooks"` {
		t.Errorf("hooks: got %v", err)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// FuzzCheck checks that a text which passes means the same to a reader that takes the
// first of two members as to one that takes the last.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{`{"name":"a"}`, `{"Name":"a"}`, `{"list":[{"map":{"a":{}}}]}`, `[1,"x",null]`, `{"a":1,"a":2}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v sample
		if json.Unmarshal(text, &v) != nil || Check(text, reflect.TypeFor[sample]()) != nil {
			return
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Skip()
		}
		if err := Check(again, reflect.TypeFor[sample]()); err != nil {
			t.Errorf("%q became %q: %v", text, again, err)
		}
	})
}
