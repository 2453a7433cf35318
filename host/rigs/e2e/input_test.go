package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// addBackend appends to the config.
func (s *site) addBackend(text string) {
	s.t.Helper()
	f, err := os.OpenFile(s.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// listing is what a refused request must not change: the containers of davit, of
// runc and of containerd, cgroups, mounts, and files.
// cgroups are those below the cgroup of the container named.
func (s *site) listing(sample string) []string {
	s.t.Helper()
	var all []string
	cgroup, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", s.inspect(sample).PID))
	if err != nil {
		s.t.Fatal(err)
	}
	_, path, _ := strings.Cut(string(cgroup), "/")
	owner := filepath.Dir(strings.SplitN(path, "\n", 2)[0])
	for _, c := range s.containers() {
		all = append(all, "container "+c.ID)
	}
	for _, root := range []string{s.dir, "/sys/fs/cgroup"} {
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			switch {
			case err != nil || root == s.dir && !d.IsDir() && filepath.Ext(path) == ".db":
			case root == s.dir && strings.Contains(path, "/containerd/root/"):
				return filepath.SkipDir
			case root == s.dir || d.IsDir() && strings.Contains(path, owner+"/"):
				all = append(all, path)
			}
			return nil
		})
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, s.dir) {
			all = append(all, line)
		}
	}
	return all
}

func TestBadInputChangesNothing(t *testing.T) {
	s := bothDaemons(t)
	s.must("run", "-d", "--name", "taken", "--rootfs", rootfs, "sleep", "600")
	files := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		dir := filepath.Join(files, name)
		if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	tests := []struct {
		name string
		args []string
		want string // in the message
	}{
		{"no rootfs", []string{"run", "--pull", "never", "true"}, "--rootfs"},
		{"no command", []string{"run", "--rootfs", rootfs}, "command"},
		{"rootfs is absent", []string{"run", "--rootfs", "/nonexistent", "true"}, "/nonexistent"},
		{"rootfs is a file", []string{"run", "--rootfs", rootfs + "/bin/busybox", "true"}, "directory"},
		{"rootfs is the host's", []string{"run", "--rootfs", "/", "true"}, "rootfs"},
		{"name: empty", []string{"run", "--name", "", "--rootfs", rootfs, "true"}, "--name"},
		{"name: dots", []string{"run", "--name", "..", "--rootfs", rootfs, "true"}, `".."`},
		{"name: slash", []string{"run", "--name", "a/b", "--rootfs", rootfs, "true"}, `"a/b"`},
		{"name: dash", []string{"run", "--name", "-a", "--rootfs", rootfs, "true"}, `"-a"`},
		{"name: long", []string{"run", "--name", strings.Repeat("a", 65), "--rootfs", rootfs, "true"}, "65"},
		{"name: taken", []string{"run", "--name", "taken", "--rootfs", rootfs, "true"}, "taken"},
		{"backend", []string{"run", "--backend", "nope", "--rootfs", rootfs, "true"}, "debian, newest"},
		{"runtime", []string{"run", "--runtime", "nope", "--rootfs", rootfs, "true"}, "nope"},
		{"runtime: a path", []string{"run", "--runtime", "/usr/sbin/runc", "--rootfs", rootfs, "true"}, "/usr/sbin/runc"},
		{"runtime: an unconfigured shim", []string{"run", "--runtime", "io.containerd.kata.v2", "--rootfs", rootfs, "true"}, "io.containerd.kata.v2"},
		{"runtime: almost a name", []string{"run", "--runtime", "wraped", "--rootfs", rootfs, "true"}, "wrapped"},
		{"memory", []string{"run", "-m", "lots", "--rootfs", rootfs, "true"}, "lots"},
		{"memory: too little", []string{"run", "-m", "1m", "--rootfs", rootfs, "true"}, "6"},
		{"user", []string{"run", "-u", "nobody-here", "--rootfs", rootfs, "true"}, "nobody-here"},
		{"volume", []string{"run", "-v", "/nonexistent:/v", "--rootfs", rootfs, "true"}, "/nonexistent"},
		{"unknown flag", []string{"run", "--nonsense", "--rootfs", rootfs, "true"}, "--nonsense"},
		{"unknown command", []string{"inspct"}, "did you mean inspect"},
		{"bundle is absent", []string{"run", "--bundle", "/nonexistent"}, "/nonexistent"},
		{"bundle without config.json", []string{"run", "--bundle", files}, "config.json"},
		{"bundle: malformed", []string{"run", "--bundle", write("malformed", "{"+`"ociVersion":`)}, "config.json"},
		{"bundle: no process", []string{"run", "--bundle", write("noprocess", `{"ociVersion":"1.0.2","root":{"path":"rootfs"}}`)}, "process"},
		{"bundle: no root", []string{"run", "--bundle", write("noroot", `{"ociVersion":"1.0.2","process":{"args":["true"],"cwd":"/"}}`)}, "root"},
		{"bundle: 10 MB", []string{"run", "--bundle", write("big", `{"ociVersion":"1.0.2","annotations":{"a":"`+strings.Repeat("x", 10<<20)+`"}}`)}, "bytes"},
		{"wait", []string{"wait", "nope"}, "nope"},
		{"kill: signal", []string{"kill", "-s", "NOPE", "taken"}, "NOPE"},
		{"rm: running", []string{"rm", "taken"}, "taken"},
		{"logs", []string{"logs", "../../etc/passwd"}, "../../etc/passwd"},
		{"inspect: nothing", []string{"inspect", ""}, ""},
	}
	before := s.listing("taken")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := s.run(tt.args...)
			if r.code == 0 || r.stdout != "" && tt.args[0] != "inspect" {
				t.Errorf("got code %d and output %q, want a failure without output", r.code, r.stdout)
			}
			if tt.args[0] == "run" && r.code != 125 {
				t.Errorf("got code %d, want 125", r.code)
			}
			if !strings.Contains(r.stderr, tt.want) || strings.Contains(r.stderr, "panic") || strings.Contains(r.stderr, "goroutine") {
				t.Errorf("got message %q, want it to say %q", r.stderr, tt.want)
			}
			if first, _, _ := strings.Cut(r.stderr, "\n"); len(first) > 400 {
				t.Errorf("the message is %d characters long: %.200s…", len(first), first)
			}
		})
	}
	after := s.listing("taken")
	for _, entry := range after {
		if !slices.Contains(before, entry) {
			t.Errorf("refused requests left %s", entry)
		}
	}
	for _, entry := range before {
		if !slices.Contains(after, entry) {
			t.Errorf("refused requests removed %s", entry)
		}
	}
	if r := s.runRootfs("--rm", "true"); r.code != 0 {
		t.Errorf("afterwards the host is of no use: %+v", r)
	}
}

func TestValidate(t *testing.T) {
	need(t)
	dir := t.TempDir()
	validate := func(text string) (string, int) {
		t.Helper()
		path := filepath.Join(dir, "davit.hcl")
		if err := os.WriteFile(path, []byte("executor_dirs = [\""+bin+"\"]\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(filepath.Join(bin, "davit"), "validate", "--config", path)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := validate("backend \"main\" {\n  executor = \"containerd\"\n}\n"); code != 0 {
		t.Errorf("good config: got %d %s", code, out)
	}
	for text, wants := range map[string][]string{
		"backend \"main\" {\n  executor = \"containerd\"\n  runtime \"crun\" {\n    path = \"/usr/bin/crun\"\n    options {\n      systemd_cgrop = true\n    }\n  }\n}\n": {"davit.hcl:7", "systemd_cgrop", `"systemd_cgroup"`},
		"backend \"main\" {\n  executor = \"containerd\"\n  config {\n    address = \"containerd.sock\"\n  }\n}\n":                                                        {"davit.hcl:5", "absolute"},
		"backend \"main\" {\n  executor = \"containrd\"\n}\n":                                                                                                             {"davit.hcl:3", "davit-executor-containrd"},
		"backend \"main\" {\n  executor = \"containerd\"\n  default_runtime = \"nope\"\n}\n":                                                                              {"davit.hcl:4", "nope"},
		"backnd \"main\" {\n}\n": {"davit.hcl:2", `"backend"`},
	} {
		out, code := validate(text)
		if code != 1 {
			t.Errorf("got code %d for\n%s", code, text)
		}
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("got %q, want it to say %q", out, want)
			}
		}
	}
}
