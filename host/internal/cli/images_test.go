package cli

import (
	"fmt"
	"testing"

	"github.com/davit-run/davit/host/api"
)

func TestImagesNamed(t *testing.T) {
	list := []api.Image{{ID: "1", Names: []string{"web:1", "web:latest", "r:5000/web:1"}}, {ID: "2", Names: []string{"webs:1"}}, {ID: "3"}, {ID: "4", Names: []string{"web@sha256:0"}}}
	for name, want := range map[string]string{
		"web": "[1[web:1 web:latest] 4[web@sha256:0]]", "docker.io/library/web:1": "[1[web:1]]", "r:5000/web": "[1[r:5000/web:1]]", "nobody": "[]", "": "[]",
	} {
		got := []string{}
		for _, image := range imagesNamed(list, name) {
			got = append(got, image.ID+fmt.Sprint(image.Names))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%q: got %v, want %s", name, got, want)
		}
	}
}
