package cli

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// eventHost is a host with a journal, and a container of which it tells.
type eventHost struct{ all []api.Event }

func (h eventHost) EventCursors() (oldest, newest uint64, err error) {
	return 0, uint64(len(h.all)), nil
}

func (h eventHost) Events(ctx context.Context, after uint64) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		for _, e := range h.all[after:] {
			if !yield(e, nil) {
				return
			}
		}
		<-ctx.Done() // nothing more happens
		yield(api.Event{}, ctx.Err())
	}
}

func (eventHost) Inspect(reference string) (api.Container, error) {
	if reference == "web" {
		return api.Container{ID: "c0ffee"}, nil
	}
	return api.Container{}, executor.Errorf(executor.NotFound, "no container %q", reference)
}

func TestEventFilters(t *testing.T) {
	h := eventHost{}
	for i, e := range []api.Event{
		{Type: "backend.ready", Backend: "main"},
		{Type: "container.started", Container: "c0ffee", Backend: "main"},
		{Type: "container.started", Container: "beef", Backend: "other"},
		{Type: "container.exited", Container: "c0ffee", Backend: "main"},
		{Type: "exec.exited", Container: "beef", Backend: "other"},
		{Type: "image.tagged", Data: map[string]string{"image": "sha256:feed", "name": "a:1,box:latest"}},
		{Type: "volume.created", Data: map[string]string{"volume": "data"}},
		{Type: "network.created", Data: map[string]string{"network": "data"}},
	} {
		e.Seq, e.Time = uint64(i+1), time.Unix(int64(1000+i), 0).UTC()
		h.all = append(h.all, e)
	}
	wantLines(t, h, map[string]string{
		"events --format '{{.seq}}'":                                                       "1 2 3 4 5 6 7 8",
		"events --format '{{.seq}}' --filter container=web":                                "2 4",
		"events --format '{{.seq}}' --filter container=be":                                 "3 5", // which may be removed
		"events --format '{{.seq}}' --filter type=container --filter type=backend":         "1 2 3 4",
		"events --format '{{.seq}}' --filter event=exited":                                 "4 5",
		"events --format '{{.seq}}' --filter event=container.exited":                       "4",
		"events --format '{{.seq}}' --filter backend=other --filter event=started":         "3",
		"events --format '{{.seq}}' --since 1002":                                          "3 4 5 6 7 8",
		"events --format '{{.seq}}' --filter image=box":                                    "6",
		"events --format '{{.ID}}' --filter image=a:1 --filter image=x":                    "sha256:feed",
		"events --format '{{.seq}}' --filter image=fe":                                     "6",
		"events --format '{{.ID}}' --filter volume=data":                                   "data",
		"events --format '{{.seq}} {{.Type}} {{.Action}}' --filter network=data":           "8 network created",
		"events --format '{{.seq}}' --until 1001":                                          "1 2",
		"events --format '{{.seq}}' --follow --since 1001 --until 1003 --filter type=exec": "",
		"events --format '{{.seq}}' -f --since 1001 --until 1003.5":                        "2 3 4",
	})
	for _, bad := range []string{"event", "colour=red"} {
		if code, _, _ := against(t, h, "events", "--filter", bad); code == 0 {
			t.Errorf("--filter %s was accepted", bad)
		}
	}
}
