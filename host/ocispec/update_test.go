package ocispec

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestChangeLimits(t *testing.T) {
	const before = `{"ociVersion":"1.0.2","x":1e400,"linux":{"resources":{"devices":[{"allow":false}],"memory":{"limit":10000000,"swap":20000000,"swappiness":0},"pids":{"limit":0}}}}`
	after, err := Limits{MemoryBytes: 12 << 20, PidsLimit: -1, CPUs: 1.5, CPUShares: 512, BlkioWeight: 100, CPUSet: "0"}.Change(json.RawMessage(before))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"ociVersion":"1.0.2","x":1e400,"linux":{"resources":{"devices":[{"allow":false}],"memory":{"limit":12582912,"swap":20000000,"swappiness":0},"pids":{"limit":-1},"cpu":{"period":100000,"quota":150000,"cpus":"0","shares":512},"blockIO":{"weight":100}}}}`
	if string(after) != want {
		t.Errorf("got  %s\nwant %s", after, want)
	}
	const limits = `{"memory":{"limit":12582912,"swap":20000000,"swappiness":0},"cpu":{"period":100000,"quota":150000,"cpus":"0","shares":512},"pids":{"limit":-1},"blockIO":{"weight":100}}`
	if got, err := LimitsIn(after); string(got) != limits || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if same, err := (Limits{}).Change(json.RawMessage(`{"a":1}`)); err != nil || !strings.HasPrefix(string(same), `{"a":1`) {
		t.Errorf("no limits: got %s, %v", same, err)
	}
	for _, l := range []Limits{{MemoryBytes: 30 << 20}, {MemoryBytes: 1}, {MemoryBytes: -1}, {CPUs: -1}, {CPUs: 1e9}, {PidsLimit: -2}, {CPUShares: 1}, {BlkioWeight: 1}, {CPUSet: "x"}, {CPUSet: "8000"}, {MemorySwap: -2}, {MemorySwap: 1}} {
		if got, err := l.Change(json.RawMessage(before)); !errors.Is(err, executor.Invalid) {
			t.Errorf("%+v: got %s, %v", l, got, err)
		}
	}
}
