package doctor

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// machine returns a patient with some files, and a config with one backend.
func machine(t *testing.T, files map[string]string) *Patient {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config.Config{StateDir: filepath.Join(root, "state"), RunDir: filepath.Join(root, "run"), Backends: []config.Backend{{Name: "main", Executor: "shim"}}}
	return &Patient{Config: cfg.WithDefaults(), ConfigName: "the config", root: root, path: root + "/bin"}
}

// look makes one check, and returns what it has found: STATUS: FOUND.
func look(t *testing.T, p *Patient, name string) (lines []string) {
	t.Helper()
	i := slices.IndexFunc(checks, func(c check) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no check %s", name)
	}
	r := report{check: name}
	checks[i].look(t.Context(), p, &r)
	for _, f := range r.findings {
		if f.Check != name || f.Found == "" || (f.Status == Warn || f.Status == Fail) && f.Remedy == "" && !strings.Contains(f.Found, "; ") {
			t.Errorf("a finding that does not say what, or what to do: %+v", f)
		}
		lines = append(lines, fmt.Sprintf("%s: %s", f.Status, strings.ReplaceAll(f.Found, p.root, "")))
	}
	return lines
}

// has reports whether a line begins like this.
func has(lines []string, begin string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, begin) })
}

const (
	release6   = "proc/sys/kernel/osrelease"
	filesystem = "proc/filesystems"
	seccomp    = "proc/sys/kernel/seccomp/actions_avail"
	userns     = "proc/sys/user/max_user_namespaces"
)

func TestKernel(t *testing.T) {
	good := map[string]string{release6: "6.1.0-13-amd64\n", filesystem: "nodev\tsysfs\nnodev\toverlay\n", seccomp: "kill trap errno allow\n", userns: "15000\n"}
	for name, tt := range map[string]struct {
		change map[string]string
		want   string
	}{
		"good":         {nil, "ok: Linux 6.1.0-13-amd64"},
		"old":          {map[string]string{release6: "5.4.0-42-generic"}, "fail: Linux 5.4.0-42-generic lacks"},
		"just enough":  {map[string]string{release6: "5.6.0"}, "ok: Linux 5.6.0"},
		"odd":          {map[string]string{release6: "x"}, `unknown: version "x"`},
		"no overlay":   {map[string]string{filesystem: "\text4\n"}, "warn: overlay file systems are not there"},
		"no seccomp":   {map[string]string{seccomp: ""}, "warn: seccomp has no action errno"},
		"no userns":    {map[string]string{userns: "0"}, "warn: there may be no user namespaces"},
		"root alone":   {map[string]string{"proc/sys/kernel/unprivileged_userns_clone": "0"}, "warn: only root makes user namespaces"},
		"apparmor":     {map[string]string{"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1"}, "warn: AppArmor keeps users"},
		"overlay only": {map[string]string{filesystem: "\toverlay\n"}, "ok: overlay file systems are there"},
	} {
		files := map[string]string{}
		for _, m := range []map[string]string{good, tt.change} {
			maps.Copy(files, m)
		}
		if got := look(t, machine(t, files), "kernel"); !has(got, tt.want) || len(got) != 4 {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got := look(t, machine(t, nil), "kernel"); !has(got, "unknown: version: open") || !has(got, "warn: seccomp is not there") {
		t.Errorf("nothing to read: got %q", got)
	}
}

func TestCgroups(t *testing.T) {
	const mount = "30 1 0:%d / %s rw - %s x rw%s\n"
	for name, tt := range map[string]struct {
		mounts string
		files  map[string]string
		want   []string
	}{
		"none": {"", nil, []string{"fail: no cgroups are mounted"}},
		"2": {fmt.Sprintf(mount, 1, "/cg", "cgroup2", ""), map[string]string{"cg/cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma\n"},
			[]string{"ok: version 2", "ok: controllers cpu, cpuset, memory, pids, io"}},
		"2 without memory": {fmt.Sprintf(mount, 1, "/cg", "cgroup2", ""), map[string]string{"cg/cgroup.controllers": "cpuset cpu io pids\n"},
			[]string{"ok: version 2", "warn: no controller memory: there is no --memory"}},
		"1":           {fmt.Sprintf(mount, 1, "/cg/m", "cgroup", ",memory,pids") + fmt.Sprintf(mount, 2, "/cg/c", "cgroup", ",cpu,cpuset,blkio"), map[string]string{"cg/m/x": "", "cg/c/x": ""}, []string{"ok: version 1", "ok: controllers cpu, cpuset, memory, pids, io"}},
		"hybrid":      {fmt.Sprintf(mount, 1, "/cg/m", "cgroup", ",cpu,cpuset,memory,pids,blkio") + fmt.Sprintf(mount, 2, "/cg/u", "cgroup2", ""), map[string]string{"cg/m/x": "", "cg/u/x": ""}, []string{"ok: version 1 and 2 side by side"}},
		"named alone": {fmt.Sprintf(mount, 1, "/cg/s", "cgroup", ",name=systemd"), map[string]string{"cg/s/x": ""}, []string{"warn: version 1 without a controller"}},
		"not there":   {fmt.Sprintf(mount, 1, "/cg", "cgroup2", ""), nil, []string{"unknown: controllers: open"}},
	} {
		files := map[string]string{"proc/self/mountinfo": tt.mounts}
		maps.Copy(files, tt.files)
		got := look(t, machine(t, files), "cgroups")
		for _, want := range tt.want {
			if !has(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		"runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1": "1.1.5 changed",
		"runc version 1.2.0-rc.3\nspec: 1.2.0":                "1.2.0-rc.3",
		"runc version 1.0.0-rc95":                             "1.0.0-rc.95",
		"runc version 1.0.0~rc93+ds1":                         "1.0.0-rc.93 changed",
		"runc version 1.1.12\ncommit: v1.1.12-0-g51d5e946":    "1.1.12",
		"runc version 1.1.7-0ubuntu1~22.04.1":                 "1.1.7 changed",
		"crun version 1.8.1\ncommit: f8a":                     "1.8.1",
		"crun version 1.28":                                   "1.28.0",
		"no version":                                          "",
	} {
		v, _, changed, ok := parseVersion(text)
		got := ""
		if ok {
			got = v.String()
		}
		if changed {
			got += " changed"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestHoles has versions around each fix.
func TestHoles(t *testing.T) {
	for text, want := range map[string]string{
		"runc 1.0.0-rc6":  "CVE-2019-5736",
		"runc 1.0.0-rc7":  "!CVE-2019-5736",
		"runc 1.0.0-rc92": "!CVE-2024-21626",
		"runc 1.0.0-rc93": "CVE-2024-21626",
		"runc 1.1.11":     "CVE-2024-21626",
		"runc 1.1.12":     "!CVE-2024-21626",
		"runc 1.2.7":      "CVE-2025-31133",
		"runc 1.2.8":      "!CVE-2025-31133",
		"runc 1.3.2":      "CVE-2025-52881",
		"runc 1.3.3":      "!CVE-2025-52881",
		"runc 1.4.0-rc.2": "CVE-2025-52565",
		"runc 1.4.0-rc.3": "!CVE-2025-52565",
		"runc 1.1.15":     "CVE-2025-31133",
		"runc 1.0.0-rc2":  "!CVE-2025-52565",
		"runc 1.5.0-rc.3": "!CVE-2026-41579",
		"runc 1.4.2":      "CVE-2026-41579",
		"runc 1.2.9":      "CVE-2026-41579",
		"runc 2.0.0":      "!CVE",
		"crun 1.19":       "CVE-2025-24965",
		"crun 1.20":       "!CVE-2025-24965",
		"crun 1.28":       "!CVE",
	} {
		program, rest, _ := strings.Cut(text, " ")
		version, _, _, _ := parseVersion(rest)
		var ids []string
		for _, h := range holesOf(program, version) {
			ids = append(ids, h.id)
		}
		id, absent := strings.CutPrefix(want, "!")
		if strings.Contains(strings.Join(ids, " "), id) == absent {
			t.Errorf("%s has %q, want %s", text, ids, want)
		}
	}
	for _, h := range holes {
		if len(h.fixed) == 0 || h.what == "" || !slices.Contains(knownRuntimes, h.program) || h.in(h.fixed[0]) || !slices.IsSortedFunc(h.fixed, func(a, b version) int {
			if a.before(b) {
				return -1
			}
			return 1
		}) {
			t.Errorf("%+v is not whole", h)
		}
	}
	for text, want := range map[string]string{"1.1.5": "1.3.6, 1.4.3 or 1.5.0-rc.3", "1.3.4": "1.3.6, 1.4.3 or 1.5.0-rc.3", "1.0.0-rc6": "1.3.6, 1.4.3 or 1.5.0-rc.3"} {
		version, _, _, _ := parseVersion(text)
		if got := remedy(holesOf("runc", version)); got != want {
			t.Errorf("%s: install %s, want %s", text, got, want)
		}
	}
}

// TestRuntimes runs programs that say that they are runtimes.
func TestRuntimes(t *testing.T) {
	var changelog bytes.Buffer
	z := gzip.NewWriter(&changelog)
	fmt.Fprint(z, "runc (1.2.7+ds1-2) * Fix CVE-2025-31133, CVE-2025-52565, CVE-2025-52881")
	z.Close()
	for name, tt := range map[string]struct {
		says  string
		files map[string]string
		want  string
	}{
		"none":          {"", nil, "fail: there is neither runc nor crun"},
		"good":          {"runc version 1.4.3", nil, "ok: /bin/runc 1.4.3 has no hole"},
		"bad":           {"runc version 1.2.7", nil, "fail: /bin/runc 1.2.7 has holes that let containers out: CVE-2025-31133 ("},
		"lesser":        {"runc version 1.4.1", nil, "warn: /bin/runc 1.4.1 has lesser ones: CVE-2026-41579"},
		"distribution":  {"runc version 1.2.7+ds1", nil, "warn: /bin/runc 1.2.7+ds1 may have holes that let containers out"},
		"with a note":   {"runc version 1.2.7+ds1", map[string]string{"usr/share/doc/runc/changelog.Debian.gz": changelog.String()}, "warn: /bin/runc 1.2.7+ds1 may have lesser ones: CVE-2026-41579"},
		"other program": {"youki version 0.3", nil, "ok: /bin/runc: davit knows nothing of its holes"},
		"broken":        {"fails", nil, "fail: /bin/runc --version: exit status 3"},
	} {
		p := machine(t, tt.files)
		if tt.says != "" {
			script := "#!/bin/sh\necho '" + tt.says + "'\n"
			if tt.says == "fails" {
				script = "#!/bin/sh\nexit 3\n"
			}
			if err := os.MkdirAll(p.root+"/bin", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := linux.WriteProgram(p.root+"/bin/runc", []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if got := look(t, p, "runtimes"); !has(got, tt.want) || len(got) != 1 {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestShims(t *testing.T) {
	p := machine(t, map[string]string{"bin/readme": ""})
	if got := look(t, p, "shims"); !has(got, "ok: no backend needs one") {
		t.Errorf("got %q", got)
	}
	p.Config.Backends = []config.Backend{{Name: "main", Executor: "containerd"}}
	if got := look(t, p, "shims"); !has(got, "warn: no shim of containerd") {
		t.Errorf("got %q", got)
	}
	if err := linux.WriteProgram(p.root+"/bin/containerd-shim-runc-v2", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := look(t, p, "shims"); !has(got, "ok: /bin/containerd-shim-runc-v2") {
		t.Errorf("got %q", got)
	}
}

func TestLimits(t *testing.T) {
	const form = "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            %s                 %s                files     \n"
	for _, tt := range [][3]string{
		{"1024", "524288", "ok: this process may open 524288 files"}, {"1024", "1024", "warn: this process may open 1024 files"},
		{"1024", "unlimited", "ok: this process may open any number of files"},
	} {
		p := machine(t, map[string]string{"proc/self/limits": fmt.Sprintf(form, tt[0], tt[1]), "proc/sys/kernel/pid_max": "4194304", "proc/sys/fs/inotify/max_user_instances": "128"})
		if got := look(t, p, "limits"); !has(got, tt[2]) || !has(got, "ok: there may be 4194304 processes") || len(got) != 2 {
			t.Errorf("%s: got %q", tt[2], got)
		}
	}
	p := machine(t, map[string]string{"proc/sys/kernel/pid_max": "1000", "proc/sys/kernel/threads-max": "900", "proc/sys/fs/inotify/max_user_instances": "1"})
	if got := look(t, p, "limits"); !has(got, "unknown: limits of this process: open") || !has(got, "warn: there may be 1000 processes") || !has(got, "warn: there may be 900 threads") || !has(got, "warn: a user may have 1 inotify") {
		t.Errorf("got %q", got)
	}
}

func TestDirectories(t *testing.T) {
	p := machine(t, nil)
	if got := look(t, p, "directories"); !has(got, "ok: /state is not there yet") {
		t.Errorf("got %q", got)
	}
	if err := os.Mkdir(p.Config.StateDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Config.RunDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := look(t, p, "directories"); !has(got, "warn: /state has the mode 0755") || !has(got, "fail: /run is no directory") {
		t.Errorf("got %q", got)
	}
	if err := os.Chmod(p.Config.StateDir, 0o777); err != nil { //nolint:gosec // that is what is looked for
		t.Fatal(err)
	}
	if got := look(t, p, "directories"); !has(got, "fail: ") {
		t.Errorf("a directory that anybody can write to: got %q", got)
	}
}

func TestDaemons(t *testing.T) {
	p := machine(t, nil)
	l, err := net.Listen("unix", filepath.Join(p.root, "d.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p.Config.Backends = []config.Backend{
		{Name: "a", Executor: "containerd", Config: map[string]any{"address": l.Addr().String()}},
		{Name: "b", Executor: "containerd", Config: map[string]any{"address": p.root + "/none.sock"}},
		{Name: "c", Executor: "containerd"}, {Name: "d", Executor: "other", Config: map[string]any{"address": 5}},
	}
	want := []string{"ok: backend a: a daemon answers at /d.sock", "fail: backend b: no daemon answers at /none.sock"}
	if got := look(t, p, "daemons"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestAccounts(t *testing.T) {
	p := machine(t, nil)
	p.Config.API.Group = "root"
	p.Config.Backends = []config.Backend{{Name: "a", User: "root:root"}, {Name: "b", User: "no-such-user"}, {Name: "c", User: "990:990"}, {Name: "d"}}
	want := []string{
		"ok: members of the group root may use the API, and so are as powerful as the host", "ok: the executor of backend a runs as root",
		"fail: there is no user no-such-user, as which the executor of backend b is to run",
	}
	if got := look(t, p, "accounts"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	p.Config.API.Group, p.Config.Backends = "no-such-group", nil
	if got := look(t, p, "accounts"); !reflect.DeepEqual(got, []string{"fail: there is no group no-such-group, which the config lets use the API"}) {
		t.Errorf("got %q", got)
	}
}

// TestConfig reports what was found when the config was read, and what the executors say.
func TestConfig(t *testing.T) {
	p := machine(t, nil)
	p.Validate = func(context.Context) diag.Diagnostics {
		return diag.Diagnostics{{Severity: executor.SeverityError, Message: "no executor", Hint: "install it"}, {Severity: executor.SeverityWarning, Message: "odd", Hint: "see"}}
	}
	if got := look(t, p, "config"); !reflect.DeepEqual(got, []string{"fail: no executor", "warn: odd"}) {
		t.Errorf("got %q", got)
	}
	p.Problems = diag.Diagnostics{{Severity: executor.SeverityError, Message: "no config", Hint: "write one"}}
	if got := look(t, p, "config"); !reflect.DeepEqual(got, []string{"fail: no config"}) {
		t.Errorf("a config that cannot be read: got %q", got)
	}
}

// TestLeftovers has a host that is gone, with processes, and one that holds its lock and does
// not answer.
func TestLeftovers(t *testing.T) {
	mounts := "30 1 0:1 / /cg/a rw - cgroup x rw,cpu\n31 1 0:2 / /cg/b rw - cgroup2 x rw\n"
	p := machine(t, map[string]string{
		"proc/self/mountinfo": mounts, "cg/a/davit/x/cgroup.procs": "7\n8\n", "cg/b/davit/x/cgroup.procs": "8\n", "cg/b/other/cgroup.procs": "9\n",
	})
	if got := look(t, p, "leftovers"); !has(got, "warn: 2 processes in the cgroup /davit: ") {
		t.Errorf("got %q", got)
	}
	p = machine(t, map[string]string{"proc/self/mountinfo": mounts, "run/host.lock": ""})
	if got := look(t, p, "leftovers"); !has(got, "ok: no process runs in the cgroup /davit") {
		t.Errorf("got %q", got)
	}
	p.hostErr = executor.Unavailable
	if got := look(t, p, "host"); !has(got, "unknown: none can be asked: unavailable") {
		t.Errorf("got %q", got)
	}
	p.forbidden = true
	for _, name := range []string{"host", "leftovers"} {
		if got := look(t, p, name); len(got) != 1 || !has(got, "unknown: ") {
			t.Errorf("a user who may not ask the host: got %q", got)
		}
	}
	p.forbidden = false
	f, err := os.OpenFile(p.root+"/run/host.lock", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := linux.Lock(f, 0); err != nil {
		t.Fatal(err)
	}
	if got := look(t, p, "host"); !has(got, fmt.Sprintf("fail: a host runs (pid %d) and cannot be asked", os.Getpid())) {
		t.Errorf("got %q", got)
	}
}

// TestExamine makes all checks on this machine.
func TestExamine(t *testing.T) {
	p := machine(t, nil)
	p.root, p.path = "", ""
	found := Examine(t.Context(), p)
	seen := map[string]bool{}
	for _, f := range found {
		seen[f.Check] = true
	}
	for _, c := range checks {
		if !seen[c.name] && c.name != "daemons" && c.name != "accounts" {
			t.Errorf("the check %s has found nothing", c.name)
		}
	}
	if n := found.Count(OK) + found.Count(Warn) + found.Count(Fail) + found.Count(Unknown); n != len(found) || found.Count(OK) == 0 {
		t.Errorf("got %+v", found)
	}
}
