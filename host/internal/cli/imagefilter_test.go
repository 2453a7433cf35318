package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// imageHost is a host with images and nothing else.
type imageHost struct{ all []api.ImageDetails }

func (h imageHost) Images() (all []api.Image, err error) {
	for _, image := range h.all {
		all = append(all, image.Image)
	}
	return all, nil
}

func (h imageHost) InspectImage(reference string) (api.ImageDetails, error) {
	for _, image := range h.all {
		if strings.HasPrefix(image.ID, reference) || strings.HasPrefix(strings.Join(image.Names, " "), reference) {
			return image, nil
		}
	}
	return api.ImageDetails{}, executor.Errorf(executor.NotFound, "no image %q", reference)
}

func someImages() imageHost {
	image := func(id string, made int64, names []string, labels map[string]string) api.ImageDetails {
		return api.ImageDetails{
			Image:  api.Image{ID: id, Names: names, Digest: "sha256:d" + id, Platform: "linux/amd64", Size: 1024, CreatedAt: time.Unix(made, 0).UTC(), AddedAt: time.Unix(9000, 0)},
			Config: api.ImageConfig{Cmd: []string{"httpd", "-f"}, Labels: labels, ExposedPorts: []string{"80/tcp"}},
		}
	}
	return imageHost{[]api.ImageDetails{
		image("c3", 3000, []string{"web:2", "r:5000/team/web:2"}, map[string]string{"app": "web", "tier": "1"}),
		image("b2", 2000, []string{}, map[string]string{"app": "web"}),
		image("a1", 1000, []string{"busybox:latest"}, nil),
	}}
}

func TestImageFilters(t *testing.T) {
	wantLines(t, someImages(), map[string]string{
		"images -q":                                        "c3 b2 a1",
		"images -a -q":                                     "c3 b2 a1",
		"images -q -f dangling=true":                       "b2",
		"images -q -f dangling=0":                          "c3 a1",
		"images -q -f reference=web":                       "c3",
		"images -q -f reference=*:2":                       "c3",
		"images -q -f reference=r:5000/team/*":             "c3",
		"images -q -f reference=w* -f reference=busybox:*": "c3 a1",
		"images -q -f label=app":                           "c3 b2",
		"images -q -f label=app=web -f label=tier":         "c3",
		"images -q -f before=web:2":                        "b2 a1",
		"images -q -f since=a1":                            "c3 b2",
		"images -q -f since=a1 -f before=web:2":            "b2",
	})
	for _, bad := range []string{"dangling", "dangling=maybe", "colour=red", "reference=["} {
		if code, stdout, _ := against(t, someImages(), "images", "--filter", bad); code == 0 || stdout != "" {
			t.Errorf("--filter %s: code %d, %q", bad, code, stdout)
		}
	}
	if code, _, stderr := against(t, someImages(), "images", "-f", "before=nope"); code == 0 || !strings.Contains(stderr, `filter before: no image "nope"`) {
		t.Errorf("before of no image: code %d, %s", code, stderr)
	}
}

func TestImageTemplates(t *testing.T) {
	wantLines(t, someImages(), map[string]string{
		"images --format '{{.Repository}}:{{.Tag}}'":                                                             "web:2 r:5000/team/web:2 <none>:<none> busybox:latest",
		"images -f dangling=true --format '{{.ID}} {{.Digest}} {{.Size}}'":                                       "b2 sha256:db2 1KiB",
		"images busybox --format '{{.CreatedAt}} {{.Platform}}'":                                                 "1970-01-01T00:16:40Z linux/amd64",
		"image inspect -f '{{.Id}} {{.Os}} {{.Architecture}} {{join .Config.Cmd \",\"}}' a1":                     "a1 linux amd64 httpd,-f",
		"image inspect --format '{{index .RepoTags 0}} {{.Config.Labels.app}} {{json .Config.ExposedPorts}}' c3": `web:2 web {"80/tcp":{}}`,
		"image inspect --format '{{.config.cmd}}' a1":                                                            "[httpd -f]",
	})
	if _, stdout, _ := against(t, someImages(), "images", "--digests"); !strings.Contains(stdout, "DIGEST") || !strings.Contains(stdout, "sha256:da1") {
		t.Errorf("images --digests:\n%s", stdout)
	}
}
