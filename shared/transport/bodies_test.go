package transport

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// bodies are the types of requests and replies, by method.
var bodies = map[string]struct{ request, reply any }{
	MethodHello:          {Hello{}, HelloReply{}},
	MethodValidate:       {executor.Settings{}, []executor.Diagnostic{}},
	MethodOpen:           {executor.Environment{}, OpenReply{}},
	MethodCreate:         {executor.Workload{}, executor.Status{}},
	MethodRestore:        {RestoreRequest{}, executor.Status{}},
	MethodList:           {None{}, []executor.Status{}},
	MethodSignal:         {SignalRequest{}, None{}},
	MethodDelete:         {executor.Ref{}, None{}},
	MethodRuntimeResolve: {"", executor.Runtime{}},
	MethodRuntimeList:    {None{}, []executor.RuntimeInfo{}},
	MethodCheck:          {None{}, []executor.Diagnostic{}},
	MethodClose:          {None{}, None{}},
	MethodExited:         {executor.Status{}, None{}},
	MethodReleased:       {ReleasedRequest{}, None{}},
}

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
	for method, golden := range frozen {
		now, ok := bodies[method]
		if !ok {
			t.Errorf("protocol 1 has the method %q, which is gone", method)
			continue
		}
		t.Run(method, func(t *testing.T) {
			wantKept(t, golden.Request, now.request)
			wantKept(t, golden.Reply, now.reply)
		})
	}
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

// lost gives the path of something in was that is not in is, or "".
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
