package ocispec_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// needRunc skips where specs cannot be run for real, and returns busybox's path.
func needRunc(t *testing.T) string {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if _, noRunc := exec.LookPath("runc"); err != nil || noRunc != nil || os.Geteuid() != 0 {
		t.Skip("needs runc, a static busybox and root")
	}
	return busybox
}

func runc(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "runc", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// busyboxRootfs puts busybox into the rootfs of a bundle.
func busyboxRootfs(t *testing.T, rootfs, busybox string) {
	t.Helper()
	binary, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(rootfs+"/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := linux.WriteProgram(rootfs+"/bin/busybox", binary, 0o755); err != nil {
		t.Fatal(err)
	}
	for applet := range strings.FieldsSeq("sh id hostname cat touch cut ls wc grep tr") {
		if err := os.Symlink("busybox", rootfs+"/bin/"+applet); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a spec to its end.
func run(t *testing.T, spec []byte) (string, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.json"), string(spec))
	id := fmt.Sprintf("davit-ocispec-%d-%d", os.Getpid(), time.Now().UnixNano())
	root := filepath.Join(dir, "run")
	t.Cleanup(func() { _, _ = runc(t, dir, "--root", root, "delete", "-f", id) })
	return runc(t, dir, "--root", root, "run", id)
}

// TestRuncSpec runs a bundle as `runc spec` makes it.
func TestRuncSpec(t *testing.T) {
	busybox := needRunc(t)
	dir := bundle(t, "")
	busyboxRootfs(t, dir+"/rootfs", busybox)
	if err := os.Remove(dir + "/config.json"); err != nil {
		t.Fatal(err)
	}
	if out, err := runc(t, dir, "spec"); err != nil {
		t.Fatalf("runc spec: %v: %s", err, out)
	}
	config, err := os.ReadFile(dir + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ocispec.FromBundle(dir, ocispec.Options{})
	if err != nil {
		t.Fatalf("FromBundle: %v", err)
	}
	want := document(t, config)
	at(want, "root").(map[string]any)["path"] = dir + "/rootfs"
	if got := document(t, raw); !reflect.DeepEqual(got, want) {
		t.Errorf("spec\n got %v\nwant %v", got, want)
	}

	raw, err = ocispec.FromBundle(dir, ocispec.Options{Args: []string{"sh", "-c", "echo hello; exit 7"}, Terminal: new(false)})
	if err != nil {
		t.Fatalf("FromBundle: %v", err)
	}
	out, err := run(t, raw)
	if exit := exitCode(err); out != "hello\n" || exit != 7 {
		t.Errorf("the bundle printed %q and exit code %d, want hello and 7", out, exit)
	}
}

func exitCode(err error) int {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode()
	}
	return 0
}

// TestRuncRootfs runs the default spec, with each option, and looks at it from
// inside.
func TestRuncRootfs(t *testing.T) {
	busybox := needRunc(t)
	dir := bundle(t, "")
	rootfs := dir + "/rootfs"
	busyboxRootfs(t, rootfs, busybox)
	write(t, dir+"/data/file", "from the host\n")
	script := `set -e
export PATH=/bin
echo "user $(id -u):$(id -g) groups $(id -G)"
echo "host $(hostname), home $HOME, in $PWD, A=$A"
echo "files $(ulimit -Sn):$(ulimit -Hn)"
echo "name $HOSTNAME, OOM score $(cat /proc/self/oom_score_adj)"
echo "ports from $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start), pings $(cat /proc/sys/net/ipv4/ping_group_range)"
cat /data/file
if touch /x 2>/dev/null; then echo "rootfs is writable"; fi
if touch /data/x 2>/dev/null; then echo "data is writable"; fi
if touch /sys/fs/cgroup/x 2>/dev/null; then echo "cgroup is writable"; fi
if : 2>/dev/null < /dev/shm && : > /dev/shm/x; then echo "shm"; fi
echo "memory $(cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes)"
echo "pids $(cat /sys/fs/cgroup/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids/pids.max)"
echo "cpu $(cut -d' ' -f1 /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us)"
echo "first process $$, devices $(ls -d /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty | wc -l)"
grep -E 'NoNewPrivs|CapBnd|CapAmb' /proc/self/status | tr '\t\n' '  '; echo
echo "masked $(wc -c < /proc/interrupts)"
`
	raw, err := ocispec.FromRootfs(rootfs, ocispec.Options{
		Args: []string{"sh", "-c", script}, Env: []string{"A=1"}, Cwd: "/etc", User: "web", Hostname: "inside",
		Mounts: []specs.Mount{
			{Destination: "/data", Type: "bind", Source: dir + "/data", Options: []string{"rbind", "rprivate", "ro"}},
			{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"},
		},
		ReadOnly: true, MemoryBytes: 32 << 20, CPUs: 0.5, PidsLimit: 17, Terminal: new(false), OOMScoreAdj: new(17),
		Ulimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 512, Hard: 1024}},
	})
	if err != nil {
		t.Fatalf("FromRootfs: %v", err)
	}
	if err := os.Chmod(dir+"/data/file", 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, raw)
	if err != nil {
		t.Fatalf("runc: %v: %s", err, out)
	}
	want := `user 33:34 groups 34 40
host inside, home /srv, in /etc, A=1
files 512:1024
name inside, OOM score 17
ports from 0, pings 0	2147483647
from the host
shm
memory 33554432
pids 17
cpu 50000
first process 1, devices 6
CapBnd: 00000000a80425fb CapAmb: 0000000000000000 NoNewPrivs: 0 
masked 0
`
	if out != want {
		t.Errorf("inside the container\n got %s\nwant %s", out, want)
	}
	if entries, err := os.ReadDir(rootfs + "/dev"); err != nil || len(entries) > 0 {
		t.Errorf("the rootfs' /dev holds %v (%v), want nothing", entries, err)
	}
}
