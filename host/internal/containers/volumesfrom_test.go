package containers

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestVolumesFrom makes containers with what others have mounted.
func TestVolumesFrom(t *testing.T) {
	m := openManager(t, nil)
	dir := t.TempDir()
	bind := func(target string, options ...string) specs.Mount {
		return specs.Mount{Type: "bind", Source: dir, Destination: target, Options: append([]string{"rbind"}, options...)}
	}
	volume := func(name, target string, options ...string) specs.Mount {
		return specs.Mount{Type: ocispec.TypeVolume, Source: name, Destination: target, Options: options}
	}
	create := func(name string, from []string, mounts ...specs.Mount) api.Container {
		t.Helper()
		opts := program(t, "exit 0")
		opts.Name, opts.NoStart, opts.VolumesFrom, opts.Process.Mounts, opts.Process.IPC = name, true, from, mounts, "host"
		return mustCreate(t, m, opts)
	}
	create("first", nil, volume("data", "/data"), volume("logs", "/logs", "ro"), volume("", "/anonymous"), bind("/src"))
	create("second", nil, volume("other", "/data"), bind("/etc/own", "ro"))
	c := create("third", []string{"first:ro", "second"}, bind("/logs"))
	want := map[string]bool{"/data": true, "/anonymous": true, "/src": true, "/logs": false, "/etc/own": true} // whether it is read-only
	got := map[string]bool{}
	raw := specText(t, m, c.ID)
	binds, err := ocispec.Binds(raw, m.etcDir(c.ID))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range binds {
		got[b.Destination] = slices.Contains(b.Options, "ro")
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("mounts are %v, want %v", got, want)
	}
	record, err := m.record(c.ID)
	if err != nil || len(record.Volumes) != 2 || record.Volumes[0].Name != "data" || record.Volumes[1].Anonymous || !record.Volumes[1].ReadOnly {
		t.Errorf("volumes are %+v, %v", record.Volumes, err)
	}
	for from, want := range map[string]string{
		"nobody":   `volumes from "nobody": there is no container "nobody"; davit ps -a lists them`,
		"first:rx": `volumes from "first:rx": mode "rx" is not known; use ro or rw`,
	} {
		opts := program(t, "exit 0")
		opts.VolumesFrom = []string{from}
		if _, err := m.Create(t.Context(), opts); err == nil || err.Error() != want || executor.CodeOf(err) == executor.Internal {
			t.Errorf("%s: got %v, want %s", from, err, want)
		}
	}
	if strings.Contains(string(raw), `"/dev/init"`) {
		t.Error("the init of another container was taken over")
	}
}
