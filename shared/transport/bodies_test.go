package transport

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// TestGoldenBodies compares the bodies of protocol 1, frozen in testdata, with what
// the types of today make of them: nothing may be lost or changed. Fields may be
// added, and are not in the file.
func TestGoldenBodies(t *testing.T) {
	text, err := os.ReadFile("testdata/bodies.json")
	if err != nil {
		t.Fatal(err)
	}
	var frozen map[string]struct{ Request, Reply json.RawMessage }
	if err := json.Unmarshal(text, &frozen); err != nil {
		t.Fatal(err)
	}
	for _, method := range Methods() {
		golden, ok := frozen[method.Name]
		if !ok {
			t.Errorf("the method %q has no golden bodies in testdata/bodies.json", method.Name)
			continue
		}
		delete(frozen, method.Name)
		t.Run(method.Name, func(t *testing.T) {
			wantKept(t, golden.Request, method.Request)
			wantKept(t, golden.Reply, method.Reply)
		})
	}
	for method := range frozen {
		t.Errorf("protocol 1 has the method %q, which is gone", method)
	}
}

// TestMethodsAreComplete checks that each method has everything that it must declare.
func TestMethodsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Methods() {
		if seen[m.Name] {
			t.Errorf("the method %q is defined twice", m.Name)
		}
		seen[m.Name] = true
		if m.Doc == "" || m.Limit == 0 {
			t.Errorf("the method %q lacks a doc line or a limit", m.Name)
		}
		if m.Capability != "" && !slices.Contains(executor.KnownCapabilities(), m.Capability) {
			t.Errorf("the method %q needs %q, which no backend can have", m.Name, m.Capability)
		}
		if !m.ForBackend {
			continue
		}
		if in, err := m.Decode(encoded(t, m.Request)); m.Lock != LockNone && (executor.CodeOf(err) != executor.Invalid || in.Serve != nil) {
			t.Errorf("the method %q takes a request about no process: %v", m.Name, err)
		}
	}
}

func encoded(t *testing.T, v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// wantKept decodes golden bytes to the type of v and encodes them again.
func wantKept(t *testing.T, golden json.RawMessage, v any) {
	t.Helper()
	decoded := reflect.New(reflect.TypeOf(v))
	if err := json.Unmarshal(golden, decoded.Interface()); err != nil {
		t.Errorf("%s cannot be read any more: %v", golden, err)
		return
	}
	encoded, err := json.Marshal(decoded.Interface())
	if err != nil {
		t.Fatal(err)
	}
	var was, is any
	if err := json.Unmarshal(golden, &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded, &is); err != nil {
		t.Fatal(err)
	}
	if path := lost(was, is); path != "" {
		t.Errorf("%s of\n%s\nis not kept in\n%s", strings.TrimPrefix(path, "."), golden, encoded)
	}
}

// lost returns the path of something that was has and is lacks, or "".
func lost(was, is any) string {
	switch was := was.(type) {
	case map[string]any:
		is, ok := is.(map[string]any)
		if !ok {
			return "."
		}
		for key, value := range was {
			if path := lost(value, is[key]); path != "" {
				return "." + key + strings.TrimSuffix(path, ".")
			}
		}
		return ""
	case []any:
		is, ok := is.([]any)
		if !ok || len(is) != len(was) {
			return "."
		}
		for i := range was {
			if path := lost(was[i], is[i]); path != "" {
				return path
			}
		}
		return ""
	}
	if reflect.DeepEqual(was, is) {
		return ""
	}
	return "."
}
