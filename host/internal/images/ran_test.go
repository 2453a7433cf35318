package images

import (
	"reflect"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestRan(t *testing.T) {
	image := func() v1.ImageConfig {
		return v1.ImageConfig{
			Entrypoint: []string{"sh", "-c"}, Cmd: []string{"true"}, Env: []string{"A=1", "AB=2"}, User: "me", WorkingDir: "/srv",
			Labels: map[string]string{"a": "b"}, ExposedPorts: map[string]struct{}{"80/tcp": {}},
		}
	}
	same, changed := image(), image()
	Ran{}.apply(&same)
	if !reflect.DeepEqual(same, image()) {
		t.Errorf("nothing was given, and the config is %+v", same)
	}
	Ran{
		Cmd: []string{"id"}, Env: []string{"A=3", "B=4=5"}, User: "0", WorkingDir: "/tmp", StopSignal: "SIGINT",
		Labels: map[string]string{"a": "c"}, Ports: []string{"53/udp"}, Volumes: []string{"/data"},
	}.apply(&changed)
	want := v1.ImageConfig{
		Cmd: []string{"id"}, Env: []string{"A=3", "AB=2", "B=4=5"}, User: "0", WorkingDir: "/tmp", StopSignal: "SIGINT",
		Labels: map[string]string{"a": "c"}, ExposedPorts: map[string]struct{}{"80/tcp": {}, "53/udp": {}}, Volumes: map[string]struct{}{"/data": {}},
	}
	if !reflect.DeepEqual(changed, want) {
		t.Errorf("got  %+v\nwant %+v", changed, want)
	}
}
