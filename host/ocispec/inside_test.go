package ocispec_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func fromRootfs(t *testing.T, rootfs string, o ocispec.Options) specs.Spec {
	t.Helper()
	o.Args = []string{"sh"}
	raw, err := ocispec.FromRootfs(rootfs, o)
	if err != nil {
		t.Fatalf("FromRootfs: %v", err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestEtcMounts checks which of the host's files a container gets.
func TestEtcMounts(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	mount := func(at string) specs.Mount {
		return specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs"}
	}
	for _, tt := range []struct {
		name   string
		etc    string
		mounts []specs.Mount
		want   []string
	}{
		{"all", "/host/etc", nil, []string{"hostname", "hosts", "resolv.conf"}},
		{"none", "", nil, nil},
		{"one is the user's", "/host/etc", []specs.Mount{mount("/etc/hosts/")}, []string{"hostname", "resolv.conf"}},
		{"all are the user's", "/host/etc", []specs.Mount{mount("/etc")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, m := range fromRootfs(t, rootfs, ocispec.Options{Etc: tt.etc, Mounts: tt.mounts}).Mounts {
				if name, ok := strings.CutPrefix(m.Source, "/host/etc/"); ok {
					got = append(got, name)
					if m.Destination != "/etc/"+name || m.Type != "bind" {
						t.Errorf("mount %+v", m)
					}
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("files are %v, want %v", got, tt.want)
			}
		})
	}
}

// TestEtcWithoutAPlace has a root file system that cannot be given a file, and one whose
// name is taken by a directory.
func TestEtcWithoutAPlace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root mounts")
	}
	rootfs := bundle(t, "") + "/rootfs"
	write(t, rootfs+"/etc/hosts", "")
	if err := os.Mkdir(rootfs+"/etc/resolv.conf", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(rootfs, rootfs, "", unix.MS_BIND, ""); err != nil {
		t.Skip("no mounts here: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(rootfs, unix.MNT_DETACH) })
	if err := unix.Mount("", rootfs, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	spec := fromRootfs(t, rootfs, ocispec.Options{Etc: "/host/etc"})
	var got []string
	for _, m := range spec.Mounts {
		if filepath.Dir(m.Destination) == "/etc" {
			got = append(got, m.Destination)
		}
	}
	if !slices.Equal(got, []string{"/etc/hosts"}) {
		t.Errorf("mounted are %v, want only what is there", got)
	}
}

// TestRootWithoutFiles runs as root in root file systems that do not say what root is.
func TestRootWithoutFiles(t *testing.T) {
	empty, odd := realTempDir(t), realTempDir(t)
	if err := os.MkdirAll(odd+"/etc/group", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, rootfs := range []string{empty, odd} {
		if u := fromRootfs(t, rootfs, ocispec.Options{}).Process.User; u.UID != 0 || u.GID != 0 || !slices.Equal(u.AdditionalGids, []uint32{0}) {
			t.Errorf("user is %+v, want root with its group", u)
		}
	}
}

// TestHostnameVariable checks that the variable says what the host name is.
func TestHostnameVariable(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, tt := range []struct {
		name string
		o    ocispec.Options
		want []string
	}{
		{"none", ocispec.Options{}, []string{path}},
		{"set", ocispec.Options{Hostname: "h"}, []string{path, "HOSTNAME=h"}},
		{"the user's", ocispec.Options{Hostname: "h", Env: []string{"HOSTNAME="}}, []string{path, "HOSTNAME="}},
	} {
		if env := fromRootfs(t, rootfs, tt.o).Process.Env; !slices.Equal(env, tt.want) {
			t.Errorf("%s: the environment is %q, want %q", tt.name, env, tt.want)
		}
	}
}

func TestParseUlimit(t *testing.T) {
	const none = 1<<64 - 1
	for value, want := range map[string]any{
		"nofile=1024":        specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024},
		"nofile=0:5":         specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 0, Hard: 5},
		"core=0:-1":          specs.POSIXRlimit{Type: "RLIMIT_CORE", Soft: 0, Hard: none},
		"as=unlimited":       specs.POSIXRlimit{Type: "RLIMIT_AS", Soft: none, Hard: none},
		"nofile":             `limit "nofile" is not of the form NAME=SOFT[:HARD], such as nofile=1024:4096`,
		"nofile=":            `limit nofile= is not of the form NAME=SOFT[:HARD]; each is a number, or -1 for no limit`,
		"nofile=1:2:3":       `limit nofile=1:2:3 is not of the form NAME=SOFT[:HARD]; each is a number, or -1 for no limit`,
		"nofile=-2":          `limit nofile=-2 is not of the form NAME=SOFT[:HARD]; each is a number, or -1 for no limit`,
		"nofile=2:1":         `limit nofile: the soft limit 2 is above the hard limit 1`,
		"nproc=-1:1":         `limit nproc: the soft limit -1 is above the hard limit 1`,
		"RLIMIT_NOFILE=1024": `limit "RLIMIT_NOFILE" is not known; use one of as, core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack`,
	} {
		got, err := ocispec.ParseUlimit(value)
		if text, ok := want.(string); ok {
			checkError(t, nil, err, text)
		} else if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v; want %+v", value, got, err, want)
		}
	}
}

// TestUlimitAboveTheHosts asks for more than anybody here can have.
func TestUlimitAboveTheHosts(t *testing.T) {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "CapEff:\t")
	if digit := after[9]; strings.ContainsRune("1357 9bdf", rune(digit)) { // bit 24
		t.Skip("this process may raise its limits")
	}
	dir := bundle(t, novel)
	raw, err := ocispec.FromBundle(dir, ocispec.Options{Ulimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: own.Max + 1}}})
	if err == nil || !strings.Contains(err.Error(), "limit nofile: the hard limit ") || !strings.Contains(err.Error(), "raise the host's") {
		t.Errorf("got %s, %v; want an error", raw, err)
	}
}

func TestSecurityOpt(t *testing.T) {
	dir := realTempDir(t)
	write(t, dir+"/profile", `{"defaultAction": "SCMP_ACT_ALLOW"}`)
	write(t, dir+"/empty", "")
	for value, want := range map[string]any{
		"no-new-privileges":           ocispec.Options{NoNewPrivileges: new(true)},
		"no-new-privileges:false":     ocispec.Options{NoNewPrivileges: new(false)},
		"seccomp=unconfined":          ocispec.Options{Seccomp: "unconfined"},
		"seccomp:builtin":             ocispec.Options{Seccomp: "builtin"},
		"seccomp=" + dir + "/profile": ocispec.Options{Seccomp: `{"defaultAction": "SCMP_ACT_ALLOW"}`},
		"no-new-privileges=maybe":     `security option "no-new-privileges=maybe": "maybe" is neither true nor false`,
		"seccomp=":                    `security option "seccomp=" is not known; use no-new-privileges, seccomp=unconfined, seccomp=builtin or seccomp=FILE`,
		"label=disable":               `security option "label=disable" is not known; use no-new-privileges, seccomp=unconfined, seccomp=builtin or seccomp=FILE`,
		"seccomp=/no/such":            `seccomp profile "/no/such": no such file or directory; give a file, "unconfined" or "builtin"`,
		"seccomp=/dev/zero":           `seccomp profile "/dev/zero": a device, not a regular file; give a file, "unconfined" or "builtin"`,
		"seccomp=" + dir + "/empty":   `seccomp profile "` + dir + `/empty" is no JSON document`,
	} {
		var got ocispec.Options
		err := got.ApplySecurityOpt(value)
		if text, ok := want.(string); ok {
			checkError(t, nil, err, text)
		} else if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s sets %+v, %v; want %+v", value, got, err, want)
		}
	}
}
