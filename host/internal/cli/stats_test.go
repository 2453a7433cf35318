package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

func TestPercent(t *testing.T) {
	at := time.Unix(1000, 0)
	look := func(after, cpu time.Duration) api.Stats {
		return api.Stats{Stats: executor.Stats{At: at.Add(after), CPU: &cpu}}
	}
	for _, tt := range []struct {
		name        string
		before, now api.Stats
		want        float64 // -1 if it is not known
	}{
		{"half", look(0, time.Second), look(2*time.Second, 2*time.Second), 50},
		{"two processors", look(0, 0), look(time.Second, 2*time.Second), 200},
		{"idle", look(0, time.Second), look(time.Second, time.Second), 0},
		{"first look", api.Stats{}, look(0, time.Second), -1},
		{"not measured", api.Stats{Stats: executor.Stats{At: at}}, look(time.Second, time.Second), -1},
		{"started anew", look(0, time.Second), look(time.Second, 0), -1},
		{"no time", look(0, 0), look(0, time.Second), -1},
	} {
		got := percent(tt.before, tt.now)
		if (got == nil) != (tt.want < 0) || got != nil && *got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestPrintUsage(t *testing.T) {
	list := []usage{
		{ID: "c1", Name: "web", CPUPercent: new(12.34), Stats: api.Stats{Network: []api.Traffic{{Received: api.LinkCount{Bytes: 1 << 10}, Sent: api.LinkCount{Bytes: 17}}, {Received: api.LinkCount{Bytes: 2 << 10}}}, Stats: executor.Stats{
			Memory: new(uint64(8 << 20)), MemoryLimit: new(uint64(64 << 20)), Tasks: new(uint64(3)), BlockRead: new(uint64(1 << 30)), BlockWritten: new(uint64(0)),
		}}},
		{ID: "c2", Error: "not offered"},
	}
	var out bytes.Buffer
	if err := printUsage(&App{Stdout: &out}, list, statsOptions{form: AsTable}); err != nil {
		t.Fatal(err)
	}
	const want = `CONTAINER   CPU     MEMORY / LIMIT   MEM     TASKS   NET I/O      READ / WRITTEN
web         12.3%   8MiB / 64MiB     12.5%   3       3KiB / 17B   1GiB / 0B
c2          -       - / -            -       -       - / -        - / -
`
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
