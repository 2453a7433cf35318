package api

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/davit-run/davit/shared/executor"
)

// TestImageCalls passes calls on to the host, and the answers back.
func TestImageCalls(t *testing.T) {
	var asked []string
	c, _ := serveFake(t, &fake{image: func(_ context.Context, what string) ([]Image, error) {
		asked = append(asked, what)
		return []Image{{ID: "sha256:1"}}, nil
	}})
	ctx := t.Context()
	var steps int
	loaded, err := c.LoadImages(ctx, strings.NewReader("archive"), LoadOptions{Platform: "linux/arm64"}, func(Progress) { steps++ })
	if err != nil || len(loaded) != 1 || steps != 1 {
		t.Errorf("load: got %v, %v, %d steps", loaded, err, steps)
	}
	if image, err := c.ImportImage(ctx, strings.NewReader("tar"), ImportOptions{Name: "a/b:c", Changes: []string{"ENV A=1", "CMD x"}, Message: "why"}, nil); err != nil || image.ID != "sha256:1" {
		t.Errorf("import: got %v, %v", image, err)
	}
	if image, err := c.PullImage(ctx, "busybox", PullOptions{Platform: "a/b"}, nil); err != nil || image.ID != "busybox" {
		t.Errorf("pull: got %v, %v", image, err)
	}
	if image, err := c.PushImage(ctx, "a/b:c", nil); err != nil || image.ID != "a/b:c" {
		t.Errorf("push: got %v, %v", image, err)
	}
	if done, err := c.Login(ctx, Credentials{"r:1", "me", "secret"}); err != nil || done.Registry != "r:1" {
		t.Errorf("login: got %v, %v", done, err)
	}
	if registry, err := c.Logout(ctx, "r:1"); err != nil || registry != "r:1" {
		t.Errorf("logout: got %v, %v", registry, err)
	}
	var saved strings.Builder
	if err := c.SaveImages(ctx, []string{"a", "b:c"}, &saved); err != nil || saved.String() != "archive" {
		t.Errorf("save: got %q, %v", saved.String(), err)
	}
	if list, err := c.Images(ctx); err != nil || len(list) != 1 {
		t.Errorf("list: got %v, %v", list, err)
	}
	if d, err := c.InspectImage(ctx, "host:5000/a/b:c"); err != nil || d.ID != "host:5000/a/b:c" {
		t.Errorf("inspect: got %v, %v", d, err)
	}
	if steps, err := c.ImageHistory(ctx, "a/b"); err != nil || len(steps) != 1 || steps[0].CreatedBy != "a/b" {
		t.Errorf("history: got %v, %v", steps, err)
	}
	if check, err := c.CheckImage(ctx, "a/b", true); err != nil || len(check.Problems) != 1 || !check.Problems[0].Repaired {
		t.Errorf("check: got %v, %v", check, err)
	}
	if r, err := c.RemoveImage(ctx, "a/b@sha256:0", true); err != nil || !r.Removed {
		t.Errorf("remove: got %v, %v", r, err)
	}
	if err := c.TagImage(ctx, "a", "b/c:d"); err != nil {
		t.Errorf("tag: %v", err)
	}
	if p, err := c.PruneImages(ctx, PruneImagesOptions{All: true}); err != nil || len(p.Images) != 1 {
		t.Errorf("prune: got %v, %v", p, err)
	}
	want := "load {linux/arm64} archive|load {{a/b:c  [ENV A=1 CMD x] why}} tar|pull busybox{a/b}|push a/b:c|login {r:1 me secret}|logout r:1|save [a b:c]|list|inspect host:5000/a/b:c|history a/b|check a/b true|remove a/b@sha256:0true|tag a b/c:d|prune {true false}"
	if got := strings.Join(asked, "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// endless is an archive without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestLoadFails gets the error of a load of which most was not read, and that of a reader.
func TestLoadFails(t *testing.T) {
	c, _ := serveFake(t, &fake{image: func(context.Context, string) ([]Image, error) {
		return nil, executor.Errorf(executor.Invalid, "no image")
	}})
	if _, err := c.LoadImages(t.Context(), endless{}, LoadOptions{}, nil); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("got %v, want invalid", err)
	}
	broken := errors.New("the disk is on fire")
	if _, err := c.LoadImages(t.Context(), io.MultiReader(strings.NewReader("a"), iotest.ErrReader(broken)), LoadOptions{}, nil); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}
