package api

import (
	"context"
	"strings"
	"testing"
)

// TestVolumeCalls passes calls on to the host, and the answers back.
func TestVolumeCalls(t *testing.T) {
	var asked []string
	c, _ := serveFake(t, &fake{volume: func(_ context.Context, what string) ([]Volume, error) {
		asked = append(asked, what)
		return []Volume{{Name: "data"}}, nil
	}})
	ctx := t.Context()
	if list, err := c.Volumes(ctx); err != nil || len(list) != 1 {
		t.Errorf("list: got %v, %v", list, err)
	}
	if v, err := c.InspectVolume(ctx, "data"); err != nil || v.Name != "data" {
		t.Errorf("inspect: got %v, %v", v, err)
	}
	if v, err := c.CreateVolume(ctx, VolumeOptions{Name: "data", Labels: map[string]string{"a": "b"}}); err != nil || v.Name != "data" {
		t.Errorf("create: got %v, %v", v, err)
	}
	if err := c.RemoveVolume(ctx, "data"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if p, err := c.PruneVolumes(ctx, PruneVolumesOptions{All: true}); err != nil || len(p.Volumes) != 1 {
		t.Errorf("prune: got %v, %v", p, err)
	}
	want := "list|inspect data|create {data map[a:b]}|remove data|prune {true false}"
	if got := strings.Join(asked, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
