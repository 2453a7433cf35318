package manifest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestChangeAll applies each instruction, and those that are wrong.
func TestChangeAll(t *testing.T) {
	c := v1.ImageConfig{Env: []string{"A=old", "PATH=/bin"}, WorkingDir: "/srv"}
	err := ChangeAll(&c, []string{
		`CMD ["a", "b c"]`, "entrypoint run it", "ENV A=new = x", `ENV B "two words"`, "LABEL l=", "EXPOSE 80 53/udp", "STOPSIGNAL INT", "USER  me ", `VOLUME ["/a b"]`, "VOLUME /c /d/", "WORKDIR sub",
	})
	want := v1.ImageConfig{
		Cmd: []string{"a", "b c"}, Entrypoint: []string{"/bin/sh", "-c", "run it"}, Env: []string{"PATH=/bin", "A=new = x", "B=two words"}, Labels: map[string]string{"l": ""},
		ExposedPorts: map[string]struct{}{"80/tcp": {}, "53/udp": {}}, StopSignal: "INT", User: "me", Volumes: map[string]struct{}{"/a b": {}, "/c": {}, "/d": {}}, WorkingDir: "/srv/sub",
	}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, %v\nwant %+v", c, err, want)
	}
	for wrong, why := range map[string]string{
		"": "no instruction", "RUN x": `"RUN" is no instruction`, "CMD": "no value", `CMD ["a"`: "no JSON array", "CMD [1]": "no JSON array", "ENV A": "not NAME=VALUE", "ENV =x": "not NAME=VALUE", "LABEL l": "not NAME=VALUE",
		"EXPOSE 0": "no port", "EXPOSE 70000": "no port", "EXPOSE 80/x": "no port", "STOPSIGNAL NO": "NO", "VOLUME x": "not an absolute path", "VOLUME /": "below /",
	} {
		if err := ChangeAll(new(v1.ImageConfig), []string{wrong}); executor.CodeOf(err) != executor.Invalid || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want %q", wrong, err, why)
		}
	}
}

// TestEdit changes a config, and keeps what it does not know.
func TestEdit(t *testing.T) {
	raw := `{"architecture":"amd64","os":"linux","docker_version":"1","config":{"User":"me","Healthcheck":{"Test":["NONE"]}},"rootfs":{"type":"layers","diff_ids":["x"]}}`
	got, err := Edit([]byte(raw), func(image *v1.Image) error {
		image.Config.User, image.Config.Cmd, image.Author = "", []string{"sh"}, "a"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var is, want any
	_ = json.Unmarshal(got, &is)
	_ = json.Unmarshal([]byte(`{"architecture":"amd64","os":"linux","docker_version":"1","author":"a","config":{"Cmd":["sh"],"Healthcheck":{"Test":["NONE"]}},"rootfs":{"type":"layers","diff_ids":["x"]}}`), &want)
	if !reflect.DeepEqual(is, want) {
		t.Errorf("got %s", got)
	}
	if _, err := Edit([]byte("[]"), func(*v1.Image) error { return nil }); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("no config: got %v", err)
	}
}
