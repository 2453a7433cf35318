package honoured_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/honoured"
)

// TestFields refuses by name what is not honoured, and nothing that every container has.
func TestFields(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	fields := honoured.Fields{"ociVersion", "process.args", "process.env", "root.path", "linux.resources.cpu.shares"}
	const usual = `"mounts":[{"destination":"/proc","type":"proc"}],"linux":{"namespaces":[{"type":"pid"}],"maskedPaths":["/proc/kcore"],"resources":{"devices":[{"allow":false}]%s}}`
	plain := fmt.Sprintf(usual, "")
	for _, tt := range []struct {
		name, more string
		refused    string
	}{
		{"what every container has", `"hostname":"` + id[:12] + `",` + plain, ""},
		{"nothing but what is honoured", `"root":{"path":"/"}`, ""},
		{"values that ask for nothing", `"hostname":"","root":{"path":"/","readonly":false},"mounts":[]`, ""},
		{"an honoured limit", fmt.Sprintf(usual, `,"cpu":{"shares":18446744073709551615}`), ""},
		{"a host name", `"hostname":"web",` + plain, "hostname"},
		{"a read-only root", `"root":{"path":"/","readonly":true},` + plain, "root.readonly"},
		{"a volume", `"mounts":[{"destination":"/v","type":"bind","source":"/srv"}]`, "mounts"},
		{"limits", fmt.Sprintf(usual, `,"memory":{"limit":7},"cpu":{"shares":1,"quota":5},"pids":{"limit":9}`), "linux.resources.cpu.quota, linux.resources.memory, linux.resources.pids"},
		{"the memory of another", `"linux":{"namespaces":[{"type":"ipc","path":"/proc/1/ns/ipc"}]}`, "linux.namespaces"},
		{"what nobody has heard of", `"novelty":{"a":1}`, "novelty"},
		{"a network that nobody has asked for", `"annotations":{"davit.run/network":"unasked"},"linux":{"namespaces":[{"type":"network","path":"/x"}]}`, "annotations"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := `{"ociVersion":"1.0.2","process":{"args":["x"],"env":["A=1"]},` + tt.more + `}`
			err := fields.Check(executor.Workload{Ref: executor.Ref{ID: id, Attempt: 1}, Spec: []byte(spec)})
			switch {
			case tt.refused == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.refused != "" && (executor.CodeOf(err) != executor.Unsupported || !strings.Contains(err.Error(), "asks for: "+tt.refused+";")):
				t.Errorf("got %v, want that %s is refused", err, tt.refused)
			}
		})
	}
	for _, spec := range []string{"", "[]", "7", "{"} {
		if err := fields.Check(executor.Workload{Spec: []byte(spec)}); executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%q: got %v", spec, err)
		}
	}
}
