package cli

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/publish"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// parseRun returns what the arguments of `davit run` say.
func parseRun(args ...string) (api.ContainerOptions, error) {
	var f runFlags
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	fs.SetInterspersed(false)
	fs.BoolVarP(&f.detach, "detach", "d", false, "")
	f.register(fs, func(name string) (string, bool) { return "ours", name == "OURS" })
	if err := fs.Parse(args); err != nil {
		return api.ContainerOptions{}, err
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
	if err := os.WriteFile("labels", []byte("# labels\na=1\nb=2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("profile", []byte(`{"defaultAction": "SCMP_ACT_ALLOW"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, args string
		want       api.ContainerOptions
	}{
		{"least", "--rootfs /r true", api.ContainerOptions{Rootfs: "/r", Process: ocispec.Options{Args: []string{"true"}}}},
		{"relative", "--rootfs ./r/../s true", api.ContainerOptions{Rootfs: filepath.Join(cwd, "s"), Process: ocispec.Options{Args: []string{"true"}}}},
		{"bundle", "--bundle b", api.ContainerOptions{Bundle: filepath.Join(cwd, "b"), Process: ocispec.Options{Args: []string{}}}},
		{"flags of the command", "--rm --rootfs /r ls --rm -d", api.ContainerOptions{Rootfs: "/r", AutoRemove: true, Process: ocispec.Options{Args: []string{"ls", "--rm", "-d"}}}},
		{"after two dashes", "--rootfs /r -- -d x", api.ContainerOptions{Rootfs: "/r", Process: ocispec.Options{Args: []string{"-d", "x"}}}},
		{"names", "--rootfs /r --name n --backend b --runtime r --restart on-failure:3 --hostname h -w /w -u 1:2 --read-only --merge-output x", api.ContainerOptions{
			Rootfs: "/r", Name: "n", Backend: "b", Runtime: "r", MergeOutput: true, Restart: "on-failure:3",
			Process: ocispec.Options{Args: []string{"x"}, Hostname: "h", Cwd: "/w", User: "1:2", ReadOnly: true},
		}},
		{"layer", "--rootfs /r:O x", api.ContainerOptions{Rootfs: "/r", RootfsOverlay: true, Process: ocispec.Options{Args: []string{"x"}}}},
		{"no layer", "--rootfs /r:O/ x", api.ContainerOptions{Rootfs: "/r:O", Process: ocispec.Options{Args: []string{"x"}}}},
		{"limits", "--rootfs /r --output-max 1g -m 64m --cpus 1.5 --pids-limit -1 x", api.ContainerOptions{
			Rootfs: "/r", OutputMax: 1 << 30, Process: ocispec.Options{Args: []string{"x"}, MemoryBytes: 64 << 20, CPUs: 1.5, PidsLimit: -1},
		}},
		{"environment", "--rootfs /r -e A=b,c -e OURS -e NOBODYS -e E= --env-file env x", api.ContainerOptions{
			Rootfs: "/r", Process: ocispec.Options{Args: []string{"x"}, Env: []string{"A=file", "OURS=ours", "B= spaced # no comment ", "A=b,c", "OURS=ours", "E="}},
		}},
		{"mounts", "--rootfs /r -v ./a:/b:ro --mount type=tmpfs,target=/t x", api.ContainerOptions{
			Rootfs: "/r", Process: ocispec.Options{Args: []string{"x"}, Mounts: []specs.Mount{
				{Type: "bind", Source: filepath.Join(cwd, "a"), Destination: "/b", Options: []string{"rbind", "rprivate", "ro"}},
				{Type: "tmpfs", Source: "tmpfs", Destination: "/t", Options: []string{"nosuid", "noexec", "nodev"}},
			}},
		}},
		{"inside", "--rootfs /r --ulimit nofile=1:2 --ulimit core=-1 --ulimit nofile=10:20 --oom-score-adj 0 --security-opt no-new-privileges=false --security-opt seccomp=profile x", api.ContainerOptions{
			Rootfs: "/r", Process: ocispec.Options{
				Args: []string{"x"}, OOMScoreAdj: new(0), NoNewPrivileges: new(false), Seccomp: `{"defaultAction": "SCMP_ACT_ALLOW"}`,
				Ulimits: []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 1<<64 - 1, Hard: 1<<64 - 1}, {Type: "RLIMIT_NOFILE", Soft: 10, Hard: 20}},
			},
		}},
		{"isolation", "--rootfs /r --cap-add NET_ADMIN --cap-add ALL --cap-drop chown --privileged --device /dev/zero:/dev/nought:r --group-add 7 --sysctl net.a=b=c --pid host --ipc private --uts host --cgroupns private x", api.ContainerOptions{
			Rootfs: "/r", Process: ocispec.Options{
				Args: []string{"x"}, CapAdd: []string{"NET_ADMIN", "ALL"}, CapDrop: []string{"chown"}, Privileged: true, Groups: []string{"7"},
				Devices: []ocispec.Device{{Source: "/dev/zero", Target: "/dev/nought", Access: "r"}}, Sysctls: map[string]string{"net.a": "b=c"},
				PID: "host", IPC: "private", UTS: "host", Cgroupns: "private",
			},
		}},
		{"more limits", "--rootfs /r -m 64m --memory-swap 1g --memory-reservation 32m -c 512 --cpuset-cpus 0-1 --cpuset-mems 0 --blkio-weight 10 --shm-size 1m --tmpfs /t:ro x", api.ContainerOptions{
			Rootfs: "/r", Process: ocispec.Options{
				Args: []string{"x"}, MemoryBytes: 64 << 20, MemorySwap: 1 << 30, MemoryReservation: 32 << 20, CPUShares: 512, CPUSet: "0-1", MemSet: "0", BlkioWeight: 10, ShmBytes: 1 << 20,
				Mounts: []specs.Mount{{Type: "tmpfs", Source: "tmpfs", Destination: "/t", Options: []string{"noexec", "nosuid", "nodev", "ro"}}},
			},
		}},
		{"network", "--rootfs /r --network web --ip 10.1.2.3 --ip6 fd77::3 x", api.ContainerOptions{Rootfs: "/r", Network: "web", IP: "10.1.2.3", IP6: "fd77::3", Process: ocispec.Options{Args: []string{"x"}}}},
		{"net", "--rootfs /r --net host x", api.ContainerOptions{Rootfs: "/r", Network: "host", Process: ocispec.Options{Args: []string{"x"}}}},
		{"no limit", "--rootfs /r --memory-swap -1 x", api.ContainerOptions{Rootfs: "/r", Process: ocispec.Options{Args: []string{"x"}, MemorySwap: -1}}},
		{"entrypoint", "--rootfs /r --entrypoint /bin/sh -- -c true", api.ContainerOptions{Rootfs: "/r", Process: ocispec.Options{Args: []string{"/bin/sh", "-c", "true"}}}},
		{"entrypoint alone", "--rootfs /r --entrypoint /bin/sh", api.ContainerOptions{Rootfs: "/r", Process: ocispec.Options{Args: []string{"/bin/sh"}}}},
		{"label file", "--rootfs /r --label-file labels -l b=ours x", api.ContainerOptions{
			Rootfs: "/r", Labels: map[string]string{"a": "1", "b": "ours"}, Process: ocispec.Options{Args: []string{"x"}},
		}},
		{"image", "busybox", api.ContainerOptions{Image: "busybox", Process: ocispec.Options{Args: []string{}}}},
		{"image and command", "--rm busybox:1 sh -c x", api.ContainerOptions{Image: "busybox:1", AutoRemove: true, Process: ocispec.Options{Args: []string{"sh", "-c", "x"}}}},
		{"image and entrypoint", "--entrypoint sh busybox -c x", api.ContainerOptions{Image: "busybox", Entrypoint: []string{"sh"}, Process: ocispec.Options{Args: []string{"-c", "x"}}}},
		{"labels", "--rootfs /r --label a=b=c --label d x", api.ContainerOptions{
			Rootfs: "/r", Labels: map[string]string{"a": "b=c", "d": ""}, Process: ocispec.Options{Args: []string{"x"}},
		}},
		{"annotations", "--rootfs /r --annotation a.b/c=d=e --annotation f= x", api.ContainerOptions{
			Rootfs: "/r", Process: ocispec.Options{Args: []string{"x"}, Annotations: map[string]string{"a.b/c": "d=e", "f": ""}},
		}},
		{"health", "--rootfs /r --health-cmd x --health-interval 1m --health-timeout 1s --health-retries 5 --health-start-period 0s --health-start-interval 2s x", api.ContainerOptions{
			Rootfs: "/r", Process: ocispec.Options{Args: []string{"x"}}, HealthCheck: &api.HealthCheck{
				Command: []string{"/bin/sh", "-c", "x"}, Interval: time.Minute, Timeout: time.Second, Retries: 5, StartPeriod: new(time.Duration), StartInterval: 2 * time.Second,
			},
		}},
		{"health by TCP", "--health-tcp 80 i", api.ContainerOptions{Image: "i", Process: ocispec.Options{Args: []string{}}, HealthCheck: &api.HealthCheck{TCP: "80"}}},
		{"health by HTTP", "--health-http :80/x i", api.ContainerOptions{Image: "i", Process: ocispec.Options{Args: []string{}}, HealthCheck: &api.HealthCheck{HTTP: ":80/x"}}},
		{"no health check", "--no-healthcheck i", api.ContainerOptions{Image: "i", Process: ocispec.Options{Args: []string{}}, HealthCheck: &api.HealthCheck{None: true}}},
		{"ports", "--rootfs /r -p 127.0.0.1:8080:80 --publish 53/udp -P x", api.ContainerOptions{
			Rootfs: "/r", PublishAll: true, Process: ocispec.Options{Args: []string{"x"}},
			Publish: []publish.Port{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: 8080, ContainerPort: 80, Protocol: publish.TCP}, {ContainerPort: 53, Protocol: publish.UDP}},
		}},
		{"stopping", "--rootfs /r --stop-signal sigint --stop-timeout 90 --start-timeout 10m x", api.ContainerOptions{
			Rootfs: "/r", StopSignal: syscall.SIGINT, StopTimeout: new(90 * time.Second), StartTimeout: 10 * time.Minute, Process: ocispec.Options{Args: []string{"x"}},
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
	// Zero is not absent.
	o, err := parseRun("--rootfs", "/r", "--stop-timeout", "0", "--pids-limit", "0", "x")
	if err != nil || o.StopTimeout == nil || *o.StopTimeout != 0 || o.Process.PidsLimit != -1 {
		t.Errorf("zeros: got stop timeout %v and pids limit %d, %v", o.StopTimeout, o.Process.PidsLimit, err)
	}
	for _, args := range []string{
		"--rootfs /r --annotation x x", "--rootfs /r --annotation =x x", "--rootfs /r --stop-signal 999 x", "--rootfs /r --stop-signal -9 x", "--rootfs /r --stop-signal 0 x",
		"--rootfs /r --user= x", "--rootfs /r --workdir= x", "--rootfs /r --name= x", "--rootfs /r --hostname= x", "--rootfs /r --backend= x",
		"--rootfs /r --runtime= x", "--rootfs /r --restart= x", "--bundle=", "--rootfs /r --stop-timeout 99999999999 x",
		"--rootfs /r --cap-add= x", "--rootfs /r --uts container:x x", "--rootfs /r --device zero x", "--rootfs /r --device-cgroup-rule c x", "--rootfs /r --device-read-bps /dev/sda:x x", "--rootfs /r --blkio-weight-device /dev/sda:1 x", "--rootfs /r --sysctl kernel.panic=1 x", "--rootfs /r --tmpfs x x",
		"--rootfs /r --memory-swap 0 x", "--rootfs /r --shm-size -1 x", "--rootfs /r -c 0 x", "--rootfs /r --blkio-weight 99999 x", "--rootfs /r --entrypoint= x", "--rootfs /r --label-file nowhere x",
		"--rootfs /r -v /a:/b:ro,rw x", "--rootfs /r -p 65536:80 x", "--rootfs /r -p= x", "--rootfs /r --pids-limit -2 x",
		"--rootfs /r -e =x x", "--rootfs /r --env-file nowhere x", "--rootfs /r -v a/b:/b x", "--rootfs /r --mount x x",
		"--rootfs /r -m 1k x", "--rootfs /r --pids-limit many x", "--rootfs /r --label =x x",
		"--rootfs /r --output-max 0 x", "--rootfs /r --stop-signal NOPE x", "--rootfs /r --stop-timeout soon x", "--rootfs /r --start-timeout 0 x", "--rootfs= x", "",
		"--health-cmd= i", "--health-interval 0s i", "--health-interval -1s i", "--health-interval 30 i", "--health-interval 1us i", "--health-retries 0 i", "--health-tcp x i", "--health-tcp a:80 i",
		"--health-http x i", "--health-http :0/ i", "--health-tcp 80 --health-cmd x i", "--no-healthcheck --health-retries 3 i", "--no-healthcheck --health-start-period 0s i",
	} {
		if got, err := parseRun(strings.Fields(args)...); err == nil {
			t.Errorf("%s: got %+v, want an error", args, got)
		}
	}
}
