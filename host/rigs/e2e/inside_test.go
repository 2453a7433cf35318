package e2e

import (
	_ "embed"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/gobuild"
)

// insideTable says what a program finds under docker and under each of davit's
// executors, and why where they differ.
//
//go:embed inside.txt
var insideTable string

// insideRow is a row of the table: "key | docker | containers | process | reason".
type insideRow struct {
	key      string
	optional bool // not every kernel has it
	docker   string
	davit    map[string]string // by backend
	reason   string
}

const absent = "-"

func insideRows(t *testing.T) map[string]insideRow {
	rows := map[string]insideRow{}
	for line := range strings.Lines(insideTable) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "|")
		if len(f) != 5 {
			t.Fatalf("%d columns: %s", len(f), line)
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		same := func(value, as string) string {
			if value == "=" {
				return as
			}
			return value
		}
		r := insideRow{key: strings.TrimSuffix(f[0], "?"), optional: strings.HasSuffix(f[0], "?"), docker: f[1], reason: f[4]}
		container := same(f[2], r.docker)
		r.davit = map[string]string{"containerd": container, "shim": container, "process": same(f[3], container)}
		if rows[r.key].key != "" {
			t.Errorf("two rows for %s", r.key)
		}
		rows[r.key] = r
	}
	return rows
}

// TestInsideTable checks that no difference is without a reason.
func TestInsideTable(t *testing.T) {
	for _, r := range insideRows(t) {
		for backend, value := range r.davit {
			if value != r.docker && r.reason == "" {
				t.Errorf("%s differs on %s from docker, and no reason is given", r.key, backend)
			}
		}
	}
}

// TestInside compares what a program finds on each executor with the table, in both
// directions: what is not in the table fails too. Where dockerd is installed, its column
// is checked as well.
func TestInside(t *testing.T) {
	need(t, newest)
	look := gobuild.One(t, "./host/rigs/e2e/look")
	here, err := exec.Command(look).Output()
	if err != nil {
		t.Fatal(err)
	}
	host := parseInside(string(here))
	s := newSite(t, containerdBackend("containerd", newest, ""), `backend "shim" { executor = "shim" }`, `backend "process" { executor = "process" }`)
	dir := insideRootfs(t, look)
	for _, backend := range []string{"containerd", "shim", "process"} {
		t.Run(backend, func(t *testing.T) {
			s := *s
			s.t = t
			got := parseInside(s.must("run", "--rm", "--backend", backend, "--rootfs", dir, "look"))
			compareInside(t, got, host, func(r insideRow) string { return r.davit[backend] })
		})
	}
	t.Run("docker", func(t *testing.T) {
		docker, image := os.Getenv("DAVIT_DOCKER"), "davit-look"
		if docker == "" {
			t.Skip("DAVIT_DOCKER is not set to a docker client's command")
		}
		client := strings.Fields(docker)
		tar := exec.Command("sh", "-c", `tar -C "$0" -c . | `+docker+` import - `+image, dir)
		if out, err := tar.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		out, err := exec.Command(client[0], append(client[1:], "run", "--rm", image, "/bin/look")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		compareInside(t, parseInside(string(out)), host, func(r insideRow) string { return r.docker })
	})
}

// insideRootfs makes a root file system with the program alone.
func insideRootfs(t *testing.T, look string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "rootfs")
	for _, d := range []string{"bin", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"passwd": "root:x:0:0::/root:/bin/sh\n", "group": "root:x:0:\ndisk:x:6:root\n"} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("cp", look, dir+"/bin/look").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

func parseInside(out string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		found[key] = value
	}
	return found
}

func compareInside(t *testing.T, got, host map[string]string, want func(insideRow) string) {
	t.Helper()
	rows := insideRows(t)
	for key, r := range rows {
		value, ok := got[key]
		if !ok {
			value = absent
		}
		if wanted := want(r); !matchesInside(key, value, wanted, got, host) && (ok || !r.optional) {
			t.Errorf("%s: got %q, the table says %q", key, value, wanted)
		}
	}
	for key, value := range got {
		if rows[key].key == "" {
			t.Errorf("%s: %s is not in the table", key, value)
		}
	}
}

// defaultLimit returns davit's default of a limit on a host that has another one.
func defaultLimit(key, own string) string {
	_, hard, _ := strings.Cut(own, " ")
	most := uint64(math.MaxUint64)
	if n, err := strconv.ParseUint(hard, 10, 64); err == nil {
		most = n
	}
	if key == "limit.open files" {
		most = min(most, 524288)
		hard = strconv.FormatUint(most, 10)
	}
	soft := map[string]uint64{"limit.open files": 65536, "limit.core file size": 0, "limit.stack size": 8 << 20, "limit.processes": math.MaxUint64}[key]
	if soft >= most {
		return hard + " " + hard
	}
	return strconv.FormatUint(soft, 10) + " " + hard
}

// matchesInside reports whether a value is what the table wants: the same words, or one
// of some that depend on the machine.
func matchesInside(key, value, want string, got, host map[string]string) bool {
	switch want {
	case "the host's":
		return value == host[key]
	case "its own":
		return value != host[key] && value != absent
	case "the name":
		return value == got["host.name"] && value != host["host.name"]
	case "the default":
		return value == defaultLimit(key, host[key])
	case "any":
		return true
	}
	return slices.Contains(strings.Split(want, "; "), value)
}

// TestWebServer is the short form of the application suite: a server of a user without
// privileges, on port 80, that logs to /dev/stdout by its name.
func TestWebServer(t *testing.T) {
	need(t)
	s := newSite(t, `backend "main" { executor = "shim" }`)
	id := s.must("run", "-d", "--rootfs", insideBusybox(t), "-u", "web", "sh", "-c",
		`httpd -f -vv -p 80 -h /etc 2>/dev/stdout & until wget -q -O - http://$HOSTNAME/passwd; do sleep 0.1; done; kill $!; wait $!; exit 5`)
	s.kill()
	s.start()
	if got := s.must("wait", id); got != "5" {
		t.Errorf("exit code %s, want 5", got)
	}
	out := s.run("logs", id)
	if !strings.Contains(out.stdout, "root:x:0:0::/:/bin/sh\n") || !strings.Contains(out.stdout, "url:/passwd") {
		t.Errorf("got %+v", out)
	}
}

// insideBusybox makes a root file system with all of busybox's programs.
func insideBusybox(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "rootfs")
	if out, err := exec.Command("cp", "-a", rootfs, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"httpd", "wget"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
