package cli

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/spf13/pflag"
)

// habitHost keeps what it was asked for.
type habitHost struct {
	stopped api.StopOptions
	pruned  api.PruneOptions
	images  api.PruneImagesOptions
	volume  api.VolumeOptions
}

func (h *habitHost) StopWith(_ context.Context, _ string, opts api.StopOptions) error {
	h.stopped = opts
	return nil
}

func (h *habitHost) RestartWith(_ context.Context, _ string, opts api.StopOptions) (api.Container, error) {
	h.stopped = opts
	return api.Container{}, nil
}

func (h *habitHost) Prune(_ context.Context, opts api.PruneOptions) (api.Pruned, error) {
	h.pruned = opts
	return api.Pruned{}, nil
}

func (h *habitHost) PruneImages(_ context.Context, opts api.PruneImagesOptions) (api.PrunedImages, error) {
	h.images = opts
	return api.PrunedImages{}, nil
}

func (h *habitHost) CreateVolume(_ context.Context, opts api.VolumeOptions) (api.Volume, error) {
	h.volume = opts
	return api.Volume{Name: opts.Name}, nil
}

func (h *habitHost) List(...api.ListOptions) ([]api.Container, error) {
	return []api.Container{
		{ID: "c1", Name: strings.Repeat("long", 8), State: api.StateRunning},
		{ID: "c2", Name: "ended", State: api.StateExited},
	}, nil
}

func (h *habitHost) Inspect(reference string) (api.Container, error) {
	all, _ := h.List()
	for _, c := range all {
		if c.ID == reference || c.Name == reference {
			return c, nil
		}
	}
	return api.Container{}, executor.Errorf(executor.NotFound, "no container %q", reference)
}

func (h *habitHost) Stats(_ context.Context, reference string) (api.Stats, error) {
	if reference == "c1" {
		return api.Stats{Stats: executor.Stats{At: time.Now(), Tasks: new(uint64(1))}}, nil
	}
	return api.Stats{}, executor.Errorf(executor.FailedPrecondition, "container %s is not running", reference)
}

// TestHabits types what users of docker type.
func TestHabits(t *testing.T) {
	long := strings.Repeat("long", 8)
	for command, want := range map[string]func(h *habitHost, stdout string) bool{
		"stop --time 3 web":                       func(h *habitHost, _ string) bool { return h.stopped.Within() == 3*time.Second },
		"restart --time=4 web":                    func(h *habitHost, _ string) bool { return h.stopped.Within() == 4*time.Second },
		"stop -s INT web":                         func(h *habitHost, _ string) bool { return h.stopped.Signal == syscall.SIGINT },
		"restart --signal=1 web":                  func(h *habitHost, _ string) bool { return h.stopped.Signal == syscall.SIGHUP },
		"prune -f":                                func(h *habitHost, _ string) bool { return h.pruned.Older == 0 },
		"prune -f --filter until=24h":             func(h *habitHost, _ string) bool { return h.pruned.Older == 24*time.Hour },
		"image prune -af":                         func(h *habitHost, _ string) bool { return h.images.All },
		"volume create -d local data":             func(h *habitHost, _ string) bool { return h.volume.Name == "data" },
		"stats --no-stream --format {{.Name}}":    func(_ *habitHost, out string) bool { return out == long+"\n" },
		"stats -a --no-stream --format {{.Name}}": func(_ *habitHost, out string) bool { return out == long+"\nended\n" },
		"stats --no-stream":                       func(_ *habitHost, out string) bool { return !strings.Contains(out, long) },
		"stats --no-stream --no-trunc":            func(_ *habitHost, out string) bool { return strings.Contains(out, long) },
		"version -f {{.Server.Version}}":          func(_ *habitHost, out string) bool { return out == "9.9\n" },
		"version --format {{.Client.Version}}":    func(_ *habitHost, out string) bool { return out == "1.2\n" },
		"version -f {{.host.version}}":            func(_ *habitHost, out string) bool { return out == "9.9\n" },
	} {
		h := &habitHost{}
		code, stdout, stderr := against(t, h, strings.Fields(command)...)
		if code != 0 || !want(h, stdout) {
			t.Errorf("davit %s: code %d, %+v\n%s%s", command, code, h, stdout, stderr)
		}
	}
	for command, want := range map[string]string{
		"volume create -d nfs data":      "--driver \"nfs\": all volumes are local",
		"prune --filter label=a":         "it is not of the form until=DURATION",
		"stop -s NONE web":               "\"NONE\" is not a signal",
		"run -a both -- image":           "use stdin, stdout or stderr",
		"run -h":                         "flag needs an argument: 'h' in -h",
		"version -f {{.Server.Nothing}}": "nothing",
	} {
		code, stdout, stderr := against(t, &habitHost{}, strings.Fields(command)...)
		if code == 0 || !strings.Contains(strings.ToLower(stderr), strings.ToLower(want)) {
			t.Errorf("davit %s: code %d, %s%s; want %s", command, code, stdout, stderr, want)
		}
	}
	if code, stdout, _ := against(t, &habitHost{}, "run", "--help"); code != 0 || !strings.Contains(stdout, "-h, --hostname") || !strings.Contains(stdout, "--help ") {
		t.Errorf("run --help: code %d\n%s", code, stdout)
	}
	if code, stdout, stderr := againstNobody(t, "version", "-f", "{{.Client.Version}}"); code == 0 || stdout != "1.2\n" || stderr == "" {
		t.Errorf("version without a host: code %d, %s%s", code, stdout, stderr)
	}
}

func againstNobody(t *testing.T, args ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	a := &App{Stdout: &out, Stderr: &errs, Env: hostAt(t.TempDir() + "/none.sock"), Build: api.Version{Version: "1.2"}}
	code = a.Main(t.Context(), args)
	return code, out.String(), errs.String()
}

// TestHostnameShort gives the host name by its letter.
func TestHostnameShort(t *testing.T) {
	var flags runFlags
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	flags.register(fs, func(string) (string, bool) { return "", false })
	if err := fs.Parse([]string{"-h", "box", "-q", "--rootfs", "/r", "true"}); err != nil {
		t.Fatal(err)
	}
	o, err := flags.options(fs.Args())
	if want := (ocispec.Options{Hostname: "box"}); err != nil || o.Process.Hostname != want.Hostname || !flags.quiet {
		t.Errorf("got %+v, %v", o.Process, err)
	}
}
