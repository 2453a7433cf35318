package containers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// specOf returns the spec that a container gets.
func specOf(t *testing.T, o ocispec.Options, d config.Defaults) (specs.Spec, error) {
	t.Helper()
	o.Args = []string{"true"}
	raw, _, err := makeSpec(api.ContainerOptions{Rootfs: t.TempDir(), Process: o}, d, "/none")
	var spec specs.Spec
	if err == nil {
		err = json.Unmarshal(raw, &spec)
	}
	return spec, err
}

// TestDefaultsOfTheConfig checks what wins: the user, the config, what is built in.
func TestDefaultsOfTheConfig(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "profile.json")
	if err := os.WriteFile(profile, []byte(`{"defaultAction": "SCMP_ACT_LOG"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	strict := config.Defaults{NoNewPrivileges: new(true), SeccompProfile: profile, Ulimits: map[string]string{"nofile": "10:20", "core": "0"}}
	limit := func(kind string, soft, hard uint64) specs.POSIXRlimit {
		return specs.POSIXRlimit{Type: kind, Soft: soft, Hard: hard}
	}
	for _, tt := range []struct {
		name     string
		o        ocispec.Options
		d        config.Defaults
		noNew    bool
		seccomp  specs.LinuxSeccompAction // the default action, "" if there is no profile
		calls    bool
		hasLimit specs.POSIXRlimit
	}{
		{name: "built in", seccomp: specs.ActErrno, calls: true},
		{name: "config", d: strict, noNew: true, seccomp: specs.ActLog, hasLimit: limit("RLIMIT_NOFILE", 10, 20)},
		{name: "config, other limit", d: strict, noNew: true, seccomp: specs.ActLog, hasLimit: limit("RLIMIT_CORE", 0, 0)},
		{name: "user", d: strict, seccomp: specs.ActErrno, calls: true, hasLimit: limit("RLIMIT_NOFILE", 5, 6), o: ocispec.Options{
			NoNewPrivileges: new(false), Seccomp: ocispec.SeccompBuiltin, Ulimits: []specs.POSIXRlimit{limit("RLIMIT_NOFILE", 5, 6)},
		}},
		{name: "unconfined", o: ocispec.Options{Seccomp: ocispec.SeccompUnconfined}},
		{name: "privileged", o: ocispec.Options{Privileged: true}},
		{name: "privileged with a profile", o: ocispec.Options{Privileged: true, Seccomp: ocispec.SeccompBuiltin}, seccomp: specs.ActErrno, calls: true},
		{name: "unconfined by config", d: config.Defaults{SeccompProfile: ocispec.SeccompUnconfined}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec, err := specOf(t, tt.o, tt.d)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Process.NoNewPrivileges != tt.noNew {
				t.Errorf("no new privileges: %t", spec.Process.NoNewPrivileges)
			}
			var got specs.LinuxSeccomp
			if spec.Linux.Seccomp != nil {
				got = *spec.Linux.Seccomp
			}
			if got.DefaultAction != tt.seccomp || len(got.Syscalls) > 5 != tt.calls {
				t.Errorf("the profile has the action %q and %d rules", got.DefaultAction, len(got.Syscalls))
			}
			if tt.hasLimit.Type != "" && !slices.Contains(spec.Process.Rlimits, tt.hasLimit) {
				t.Errorf("limits are %+v, want %+v among them", spec.Process.Rlimits, tt.hasLimit)
			}
			n := 0
			for _, l := range spec.Process.Rlimits {
				if l.Type == "RLIMIT_NOFILE" {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d limits of open files: %+v", n, spec.Process.Rlimits)
			}
		})
	}
}

func TestBadProfiles(t *testing.T) {
	for profile, want := range map[string]string{
		`{}`:                         `it has no "defaultAction"`,
		`{"defaultAction": "allow"}`: `"defaultAction": action "allow" is not known; use one of SCMP_ACT_ALLOW`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "ERRNO"}]}`:                                  `read: action "ERRNO" is not known`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ERRNO"}]}`:                                            `entry 1 of "syscalls" names none`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"op": "=="}]}]}`: `operator "==" for argument 0`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]}`:    `'archMap'`,
		`[]`: `cannot unmarshal`,
	} {
		_, err := specOf(t, ocispec.Options{Seccomp: profile}, config.Defaults{})
		if executor.CodeOf(err) != executor.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", profile, err, want)
		}
	}
	_, err := specOf(t, ocispec.Options{}, config.Defaults{SeccompProfile: "/no/such"})
	if executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), `defaults of the config: seccomp profile "/no/such"`) {
		t.Errorf("a profile that the config names and that is missing: %v", err)
	}
}

// TestBundleKeepsItsProfile checks that the defaults are not for bundles.
func TestBundleKeepsItsProfile(t *testing.T) {
	dir := t.TempDir()
	text := `{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["sh"], "noNewPrivileges": true}, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_LOG"}, "novel": 1}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := config.Defaults{NoNewPrivileges: new(false), Ulimits: map[string]string{"core": "0"}}
	for value, want := range map[string]string{
		"":                        `"linux":{"seccomp":{"defaultAction":"SCMP_ACT_LOG"},"novel":1}`,
		ocispec.SeccompUnconfined: `"linux":{"novel":1}`,
	} {
		raw, _, err := makeSpec(api.ContainerOptions{Bundle: dir, Process: ocispec.Options{Seccomp: value}}, d, "/none")
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(string(raw), " ", "")
		if !strings.Contains(got, want) || !strings.Contains(got, `"noNewPrivileges":true`) || strings.Contains(got, "RLIMIT") || strings.Contains(got, "/none") {
			t.Errorf("seccomp %q: got %s, want %s", value, got, want)
		}
	}
}

// TestEtcFiles checks that a container's files are made before its first start, keep
// what it writes, and go with it.
func TestEtcFiles(t *testing.T) {
	m := openManager(t, nil)
	opts := program(t, "exit 0")
	opts.Process.Hostname = "web"
	c := mustCreate(t, m, opts)
	mustWait(t, m, c.ID)
	dir := m.etcDir(c.ID)
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	resolv, _ := os.ReadFile("/etc/resolv.conf")
	if got := read("hostname"); got != "web\n" {
		t.Errorf("hostname is %q", got)
	}
	if got := read("hosts"); !strings.HasPrefix(got, "127.0.0.1\tlocalhost\n") || !strings.Contains(got, "\tweb\n") {
		t.Errorf("hosts is %q", got)
	}
	if got := read("resolv.conf"); got != string(resolv) {
		t.Errorf("resolv.conf is %q, want %q", got, resolv)
	}
	if info, err := os.Stat(filepath.Join(dir, "hosts")); err != nil || info.Mode() != 0o644 {
		t.Errorf("hosts: %v, %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hosts"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Start(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	mustWait(t, m, c.ID)
	if got := read("hosts"); got != "changed" {
		t.Errorf("after a second start hosts is %q", got)
	}
	if err := m.Remove(t.Context(), c.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Errorf("after the removal: %v", err)
	}
}
