package specfields

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// TestNumbers checks that numbers pass unchanged: limits have 64 bits, and a float64 has
// 53.
func TestNumbers(t *testing.T) {
	fields := Filter{Workload: "a test", Honoured: []string{
		"ociVersion", "process.args", "process.rlimits", "linux.resources.memory.limit", "linux.resources.cpu.shares",
	}}
	spec, err := fields.Sift(executor.Workload{Spec: []byte(`{"ociVersion": "1.0.2",
		"process": {"args": ["x"], "rlimits": [{"type": "RLIMIT_STACK", "soft": 9007199254740993, "hard": 18446744073709551615}]},
		"linux": {"resources": {"memory": {"limit": 9223372036854775807, "swap": 0, "swappiness": 0}, "cpu": {"shares": 18446744073709551615}}}
	}`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := spec.Process.Rlimits[0]; l.Soft != 1<<53+1 || l.Hard != math.MaxUint64 {
		t.Errorf("limits are %d and %d", l.Soft, l.Hard)
	}
	if r := spec.Linux.Resources; *r.Memory.Limit != math.MaxInt64 || *r.CPU.Shares != math.MaxUint64 {
		t.Errorf("resources are %d and %d", *r.Memory.Limit, *r.CPU.Shares)
	}
}

// TestUsualHostName has specs with the host name that a host sets, and with others.
func TestUsualHostName(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	filter := Filter{Workload: "a test", Honoured: []string{"ociVersion", "process.args", "process.env"}}
	for name, usual := range map[string]bool{id: true, id[:12]: true, id[:11]: false, id[:13]: false, "web": false} {
		spec := fmt.Sprintf(`{"ociVersion":"1.0.2","hostname":%q,"process":{"args":["x"],"env":["A=1",%q]}}`, name, "HOSTNAME="+name)
		w := executor.Workload{Ref: executor.Ref{ID: id, Attempt: 1}, Spec: []byte(spec)}
		got, err := filter.Sift(w, []string{Usual})
		switch {
		case !usual && executor.CodeOf(err) != executor.Unsupported:
			t.Errorf("%s: got %v, %v", name, got, err)
		case usual && (err != nil || got.Hostname != "" || !slices.Equal(got.Process.Env, []string{"A=1"})):
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		if _, err := filter.Sift(w, nil); executor.CodeOf(err) != executor.Unsupported {
			t.Errorf("%s, where the usual is refused: got %v", name, err)
		}
	}
}
