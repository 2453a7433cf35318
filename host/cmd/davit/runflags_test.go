package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// parseRun gives what the arguments of `davit run` say.
func parseRun(args ...string) (host.ContainerOptions, error) {
	var f runFlags
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	fs.SetInterspersed(false)
	f.register(fs, func(name string) (string, bool) { return "ours", name == "OURS" })
	if err := fs.Parse(args); err != nil {
		return host.ContainerOptions{}, err
	}
	return f.options(fs.Args())
}

func TestRunFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("env", []byte("# comment\n\n  A=file\nOURS\nB= spaced # no comment \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, args string
		want       host.ContainerOptions
	}{
		{"least", "--rootfs /r true", host.ContainerOptions{Rootfs: "/r", Process: ocispec.Options{Args: []string{"true"}}}},
		{"relative", "--rootfs ./r/../s true", host.ContainerOptions{Rootfs: filepath.Join(cwd, "s"), Process: ocispec.Options{Args: []string{"true"}}}},
		{"bundle", "--bundle b", host.ContainerOptions{Bundle: filepath.Join(cwd, "b"), Process: ocispec.Options{Args: []string{}}}},
		{"flags of the command", "--rm --rootfs /r ls --rm -d", host.ContainerOptions{Rootfs: "/r", AutoRemove: true, Process: ocispec.Options{Args: []string{"ls", "--rm", "-d"}}}},
		{"after two dashes", "--rootfs /r -- -d x", host.ContainerOptions{Rootfs: "/r", Process: ocispec.Options{Args: []string{"-d", "x"}}}},
		{"names", "--rootfs /r --name n --backend b --runtime r --restart on-failure:3 --hostname h -w /w -u 1:2 --read-only --merge-output x", host.ContainerOptions{
			Rootfs: "/r", Name: "n", Backend: "b", Runtime: "r", MergeOutput: true, Restart: "on-failure:3",
			Process: ocispec.Options{Args: []string{"x"}, Hostname: "h", Cwd: "/w", User: "1:2", ReadOnly: true},
		}},
		{"limits", "--rootfs /r --output-max 1g -m 64m --cpus 1.5 --pids-limit -1 x", host.ContainerOptions{
			Rootfs: "/r", OutputMax: 1 << 30, Process: ocispec.Options{Args: []string{"x"}, MemoryBytes: 64 << 20, CPUs: 1.5, PidsLimit: -1},
		}},
		{"environment", "--rootfs /r -e A=b,c -e OURS -e NOBODYS -e E= --env-file env x", host.ContainerOptions{
			Rootfs: "/r", Process: ocispec.Options{Args: []string{"x"}, Env: []string{"A=file", "OURS=ours", "B= spaced # no comment ", "A=b,c", "OURS=ours", "E="}},
		}},
		{"mounts", "--rootfs /r -v ./a:/b:ro --mount type=tmpfs,target=/t x", host.ContainerOptions{
			Rootfs: "/r", Process: ocispec.Options{Args: []string{"x"}, Mounts: []specs.Mount{
				{Type: "bind", Source: filepath.Join(cwd, "a"), Destination: "/b", Options: []string{"rbind", "rprivate", "ro"}},
				{Type: "tmpfs", Source: "tmpfs", Destination: "/t", Options: []string{"nosuid", "noexec", "nodev"}},
			}},
		}},
		{"labels", "--rootfs /r --label a=b=c --label d x", host.ContainerOptions{
			Rootfs: "/r", Labels: map[string]string{"a": "b=c", "d": ""}, Process: ocispec.Options{Args: []string{"x"}},
		}},
		{"stopping", "--rootfs /r --stop-signal sigint --stop-timeout 90 x", host.ContainerOptions{
			Rootfs: "/r", StopSignal: syscall.SIGINT, StopTimeout: 90 * time.Second, Process: ocispec.Options{Args: []string{"x"}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseRun(strings.Fields(tt.args)...)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
	for _, args := range []string{
		"--rootfs /r -e =x x", "--rootfs /r --env-file nowhere x", "--rootfs /r -v a:/b x", "--rootfs /r --mount x x",
		"--rootfs /r -m 1k x", "--rootfs /r --cpus 0 x", "--rootfs /r --pids-limit many x", "--rootfs /r --label =x x",
		"--rootfs /r --output-max 0 x", "--rootfs /r --stop-signal NOPE x", "--rootfs /r --stop-timeout soon x", "--rootfs= x", "x",
	} {
		if got, err := parseRun(strings.Fields(args)...); err == nil {
			t.Errorf("%s: got %+v, want an error", args, got)
		}
	}
}
