package config_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
)

const full = `
state_dir     = "/srv/davit"
run_dir       = "run"
executor_dirs = ["../bin", "/usr/libexec/davit"]
api {
  socket = "./api.sock"
  group  = "davit"
}
default_backend = "main"
log {
  level  = "debug"
  format = "json"
}
backend "main" {
  executor = "containerd"
  sha256   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  config {
    address = "/run/containerd/containerd.sock"
    retries = -3
    timeout = "1m30s"
    labels  = { a = "1", "b c" = "2" }
    tls {
      ca = <<-EOT
        line $${not} a variable
      EOT
    }
  }
  default_runtime = "crun"
  runtime "crun" {
    shim = "io.containerd.runc.v2"
    path = "/usr/bin/crun"
    args = ["--debug"]
    options {
      systemd_cgroup = false
    }
  }
  runtime "plain" {}
}
backend "b2" { executor = "shim" }
`

// description is an executor that uses all there is in a schema.
func description() executor.Description {
	return executor.Description{
		Name: "containerd",
		Config: executor.Schema{
			Attributes: []executor.Attribute{
				{Name: "address", Type: executor.String, Required: true},
				{Name: "retries", Type: executor.Int},
				{Name: "timeout", Type: executor.Duration},
				{Name: "labels", Type: executor.StringMap},
				{Name: "mode", Type: executor.String, Enum: []string{"own", "shared"}},
				{Name: "novel", Type: "set(string)"},
			},
			Blocks: []executor.Block{{Name: "tls", Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "ca", Type: executor.String, Required: true},
			}}}},
		},
		Runtime: &executor.Schema{
			Attributes: []executor.Attribute{
				{Name: "shim", Type: executor.String},
				{Name: "path", Type: executor.String},
				{Name: "args", Type: executor.Strings},
			},
			Blocks: []executor.Block{{Name: "options", Schema: executor.Schema{Attributes: []executor.Attribute{
				{Name: "systemd_cgroup", Type: executor.Bool},
			}}}},
		},
	}
}

func TestParse(t *testing.T) {
	c, diags := config.Parse([]byte(full), "/etc/davit/davit.hcl")
	if len(diags) > 0 {
		t.Fatalf("Parse: %v", diags)
	}
	got := *c
	got.Backends = nil
	want := `{"state_dir":"/srv/davit","run_dir":"/etc/davit/run","executor_dirs":["/etc/bin","/usr/libexec/davit"],"cgroup":"",` +
		`"api":{"socket":"/etc/davit/api.sock","group":"davit"},"log":{"level":"debug","format":"json"},"default_backend":"main"}`
	if g := encode(t, got); g != want {
		t.Errorf("config\n got %s\nwant %s", g, want)
	}
	main := c.Backend("main")
	if main.Executor != "containerd" || !strings.HasPrefix(main.SHA256, "0123") || main.DefaultRuntime != "crun" {
		t.Errorf("backend main is %+v", main)
	}
	if b2 := c.Backend("b2"); b2.Executor != "shim" || b2.Name != "b2" {
		t.Errorf("backend b2 is %+v", b2)
	}
	if c.Backend("b3") != nil {
		t.Error("backend b3 exists")
	}
	checkSettings(t, main)
}

// TestProgram sets up the same backend as a program would.
func TestProgram(t *testing.T) {
	type tls struct {
		CA string `json:"ca"`
	}
	checkSettings(t, &config.Backend{
		Name: "main",
		Config: struct {
			Address string            `json:"address"`
			Retries int               `json:"retries"`
			Timeout string            `json:"timeout"`
			Labels  map[string]string `json:"labels"`
			TLS     *tls              `json:"tls"`
			Mode    *string           `json:"mode"`
		}{"/run/containerd/containerd.sock", -3, "1m30s", map[string]string{"a": "1", "b c": "2"}, &tls{"line ${not} a variable\n"}, nil},
		DefaultRuntime: "crun",
		Runtimes: []config.Runtime{
			{Name: "crun", Body: map[string]any{
				"shim": "io.containerd.runc.v2", "path": "/usr/bin/crun", "args": []string{"--debug"},
				"options": map[string]any{"systemd_cgroup": false},
			}},
			{Name: "plain"},
		},
	})
}

func checkSettings(t *testing.T, b *config.Backend) {
	t.Helper()
	settings, diags := b.Decode(description())
	if len(diags) > 0 {
		t.Fatalf("Decode: %v", diags)
	}
	want := `{"config":{"address":"/run/containerd/containerd.sock","labels":{"a":"1","b c":"2"},"retries":-3,"timeout":"1m30s","tls":{"ca":"line ${not} a variable\n"}},` +
		`"runtimes":[{"name":"crun","body":{"args":["--debug"],"options":{"systemd_cgroup":false},"path":"/usr/bin/crun","shim":"io.containerd.runc.v2"}},{"name":"plain","body":{}}],` +
		`"default_runtime":"crun"}`
	if got := encode(t, settings); got != want {
		t.Errorf("settings\n got %s\nwant %s", got, want)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestDefaults(t *testing.T) {
	c, diags := config.Parse([]byte(`backend "one" { executor = "shim" }`), "davit.hcl")
	if len(diags) > 0 {
		t.Fatalf("Parse: %v", diags)
	}
	d := c.WithDefaults()
	d.Backends = nil
	want := `{"state_dir":"/var/lib/davit","run_dir":"/run/davit","executor_dirs":["/usr/libexec/davit"],"cgroup":"/davit",` +
		`"api":{"socket":"/run/davit/davit.sock","group":""},"log":{"level":"info","format":"text"},"output":{"max_size":"256m"},"retention":{"ended":"720h","attempts_size":"512m"},"network":{"enabled":true,"pool":["10.209.0.0/16","192.168.208.0/20"]},"default_backend":"one"}`
	if got := encode(t, d); got != want {
		t.Errorf("defaults\n got %s\nwant %s", got, want)
	}
	if got, want := d.BackendStateDir("one"), "/var/lib/davit/backends/one"; got != want {
		t.Errorf("state directory of the backend is %s, want %s", got, want)
	}
	if got, want := (config.Config{RunDir: "/r"}).BackendRunDir("one"), "/r/backends/one"; got != want {
		t.Errorf("run directory of the backend is %s, want %s", got, want)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("conf/10-host.hcl", "state_dir = \"state\"\n")
	write("conf/20-a.hcl", `backend "a" { executor = "shim" }`)
	write("conf/.hidden.hcl", "not hcl")
	write("conf/notes.txt", "not hcl")
	write("conf/sub.hcl/x.hcl", "not hcl")
	extra := write("extra/b.hcl", `backend "b" { executor = "shim" }`)
	twice := write("extra/twice.hcl", "state_dir = \"/elsewhere\"\n\nbackend \"a\" { executor = \"process\" }\n")
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "conf")
	fifo := filepath.Join(dir, "fifo.hcl")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}

	c, diags := config.Load(conf, extra)
	if len(diags) > 0 {
		t.Fatalf("Load: %v", diags)
	}
	if want := filepath.Join(conf, "state"); c.StateDir != want {
		t.Errorf("state_dir is %q, want %q", c.StateDir, want)
	}
	if len(c.Backends) != 2 || c.Backends[0].Name != "a" || c.Backends[1].Name != "b" {
		t.Errorf("backends are %+v, want a and b", c.Backends)
	}

	for _, tt := range []struct {
		name  string
		paths []string
		want  []string
	}{
		{"nothing", nil, []string{"no config file was given; name a file or a directory"}},
		{"absent", []string{dir + "/none"}, []string{dir + "/none: cannot be read: no such file or directory"}},
		{"a FIFO", []string{fifo}, []string{fifo + ": cannot be read: a FIFO, not a regular file"}},
		{"a device", []string{"/dev/zero"}, []string{"/dev/zero: cannot be read: a device, not a regular file"}},
		{"empty directory", []string{empty}, []string{empty + ": no file *.hcl in this directory"}},
		{"too large", []string{write("large.hcl", strings.Repeat("#", config.MaxFileSize+1))}, []string{dir + "/large.hcl: a config file has at most 65536 bytes"}},
		{"no backend", []string{write("none.hcl", "")}, []string{dir + `/none.hcl: no backend is configured; add backend "NAME" { executor = "…" }`}},
		{"set twice", []string{conf, twice}, []string{
			twice + `:1,1: "state_dir" is already set at ` + conf + `/10-host.hcl:1,1; keep one of them`,
			twice + `:3,1: backend "a" is already defined at ` + conf + `/20-a.hcl:1,1; rename one of them`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, diags := config.Load(tt.paths...)
			if got, want := diags.Error(), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("Load\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestRetention(t *testing.T) {
	for _, tt := range []struct {
		ended, size string
		age         time.Duration
		bytes       int64
		ok          bool
	}{
		{"", "", 720 * time.Hour, 512 << 20, true},
		{"0", "0", 0, 0, true},
		{"90m", "1g", 90 * time.Minute, 1 << 30, true},
		{"-1h", "1g", 0, 0, false},
		{"soon", "1g", 0, 0, false},
		{"1h", "much", 0, 0, false},
	} {
		c := config.Config{Retention: config.Retention{Ended: tt.ended, AttemptsSize: tt.size}}.WithDefaults()
		age, err1 := c.Retention.EndedAge()
		bytes, err2 := c.Retention.AttemptsBytes()
		if ok := err1 == nil && err2 == nil; ok != tt.ok || ok && (age != tt.age || bytes != tt.bytes) {
			t.Errorf("%q, %q: got %v, %d, %v, %v", tt.ended, tt.size, age, bytes, err1, err2)
		}
	}
}
