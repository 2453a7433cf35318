package ocispec_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// bundle makes a bundle with a config.json and a rootfs.
func bundle(t *testing.T, config string) string {
	t.Helper()
	dir := realTempDir(t)
	for _, d := range []string{"rootfs/etc", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "rootfs/etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\nwrap:x:4294967296:0::/:/bin/sh\n")
	write(t, filepath.Join(dir, "rootfs/etc/group"), "root:x:0:\nwww:x:34:\nlog:x:40:web,root\n")
	write(t, filepath.Join(dir, "config.json"), config)
	return dir
}

func realTempDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// document decodes JSON and keeps everything.
func document(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
	return doc
}

// at returns a value in a document.
func at(doc any, path ...string) any {
	for _, name := range path {
		members, _ := doc.(map[string]any)
		doc = members[name]
	}
	return doc
}

// novel is a config.json with members of a spec that does not exist yet.
const novel = `{
	"ociVersion": "9.9.9",
	"future": {"limit": 0, "big": 12345678901234567890, "list": [null, 1.50]},
	"process": {"cwd": "/", "args": ["sh"], "env": ["A=1", "B=2"], "novel": {"x": 0}, "user": {"uid": 5, "gid": 6, "umask": 0, "novel": 1},
		"oomScoreAdj": 0, "terminal": true},
	"root": {"path": "rootfs", "novel": true},
	"mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "novel": 1}, {"destination": "/data", "source": "data", "options": ["rbind"], "novel": "<&>"}],
	"linux": {"resources": {"memory": {"swappiness": 0, "novel": 2}, "pids": {"limit": 0}, "novel": 3}, "cgroupsPath": "/mine", "novel": 4},
	"annotations": {"a": "1", "A": "2"},
	"hooks": {"novelHook": [{"path": "/bin/true", "timeout": 0}]}
}`

// TestBundleKeeps checks that nothing but the paths changes.
func TestBundleKeeps(t *testing.T) {
	dir := bundle(t, novel)
	raw, err := ocispec.FromBundle(dir, ocispec.Options{})
	if err != nil {
		t.Fatalf("FromBundle: %v", err)
	}
	want := document(t, []byte(novel))
	at(want, "root").(map[string]any)["path"] = dir + "/rootfs"
	want["mounts"].([]any)[1].(map[string]any)["source"] = dir + "/data"
	if got := document(t, raw); !reflect.DeepEqual(got, want) {
		t.Errorf("spec\n got %v\nwant %v", got, want)
	}
}

// TestBundleOverrides checks that options change what they name and no more.
func TestBundleOverrides(t *testing.T) {
	dir := bundle(t, novel)
	raw, err := ocispec.FromBundle(dir, ocispec.Options{
		Args: []string{"ls", "-l"}, Env: []string{"B=3", "C="}, Cwd: "/tmp/", User: "web", Hostname: "h", ReadOnly: true,
		Mounts: []specs.Mount{
			{Destination: "/data/in", Type: "bind", Source: dir, Options: []string{"bind"}},
			{Destination: "/data/", Type: "tmpfs", Source: "tmpfs"},
		},
		MemoryBytes: 64 << 20, CPUs: 0.29, PidsLimit: -1, Terminal: new(false), Annotations: map[string]string{"b": "2"},
	})
	if err != nil {
		t.Fatalf("FromBundle: %v", err)
	}
	want := document(t, []byte(strings.NewReplacer(
		`"args": ["sh"]`, `"args": ["ls", "-l"]`,
		`["A=1", "B=2"]`, `["A=1", "B=3", "C="]`,
		`"cwd": "/"`, `"cwd": "/tmp"`,
		`{"uid": 5, "gid": 6,`, `{"uid": 33, "gid": 34, "additionalGids": [34, 40],`,
		`"terminal": true`, `"terminal": false`,
		`"path": "rootfs"`, `"path": "`+dir+`/rootfs", "readonly": true`,
		`{"destination": "/data", "source": "data", "options": ["rbind"], "novel": "<&>"}`,
		`{"destination": "/data", "type": "tmpfs", "source": "tmpfs"}, {"destination": "/data/in", "type": "bind", "source": "`+dir+`", "options": ["bind"]}`,
		`"swappiness": 0`, `"swappiness": 0, "limit": 67108864`,
		`"pids": {"limit": 0}`, `"pids": {"limit": -1}, "cpu": {"period": 100000, "quota": 29000}`,
		`"annotations": {"a": "1", "A": "2"}`, `"annotations": {"a": "1", "A": "2", "b": "2"}, "hostname": "h"`,
	).Replace(novel)))
	if got := document(t, raw); !reflect.DeepEqual(got, want) {
		t.Errorf("spec\n got %v\nwant %v", got, want)
	}
}

// TestBundleIsItsRoot: root.path may name the bundle itself.
func TestBundleIsItsRoot(t *testing.T) {
	dir := bundle(t, `{"ociVersion":"1.0.2","process":{"args":["sh"]},"root":{"path":"."}}`)
	raw, err := ocispec.FromBundle(dir, ocispec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := at(document(t, raw), "root", "path"); got != dir {
		t.Errorf("root.path is %v, want %s", got, dir)
	}
}

// TestEnvironment checks that a name is in the environment once: of two, runtimes and
// programs would not agree which one counts.
func TestEnvironment(t *testing.T) {
	dir := bundle(t, `{"ociVersion":"1.0.2","process":{"args":["sh"],"env":["A=1","B=1","A=2"]},"root":{"path":"rootfs"}}`)
	for _, tt := range []struct {
		env  []string
		want string
	}{
		{nil, "A=2 B=1"},
		{[]string{"A=3"}, "A=3 B=1"},
		{[]string{"C=1", "C=2", "B="}, "A=2 B= C=2"},
	} {
		raw, err := ocispec.FromBundle(dir, ocispec.Options{Env: tt.env})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range at(document(t, raw), "process", "env").([]any) {
			got = append(got, e.(string))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("with %q: got %q, want %s", tt.env, got, tt.want)
		}
	}
}

// TestMountsHideNothing mounts over the parents of mounts that every container has, and
// checks that what was below is mounted after them.
func TestMountsHideNothing(t *testing.T) {
	dir := bundle(t, "") + "/rootfs"
	raw, err := ocispec.FromRootfs(dir, ocispec.Options{Args: []string{"sh"}, Mounts: []specs.Mount{
		{Destination: "/sys/fs", Type: "tmpfs", Source: "tmpfs"}, {Destination: "/sys/", Type: "tmpfs", Source: "tmpfs"}, {Destination: "/new", Type: "tmpfs", Source: "tmpfs"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range spec.Mounts {
		got = append(got, m.Destination+"="+m.Type)
	}
	want := "/proc=proc /dev=tmpfs /dev/pts=devpts /dev/shm=tmpfs /dev/mqueue=mqueue /sys=tmpfs /sys/fs=tmpfs /sys/fs/cgroup=cgroup /new=tmpfs"
	if strings.Join(got, " ") != want {
		t.Errorf("mounts are %s, want %s", strings.Join(got, " "), want)
	}
}

func TestBundleAbsoluteRoot(t *testing.T) {
	other := realTempDir(t)
	link := filepath.Join(realTempDir(t), "link")
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	dir := bundle(t, `{"ociVersion":"1.0.2","process":{"args":["sh"],"cwd":"/"},"root":{"path":"`+link+`"}}`)
	raw, err := ocispec.FromBundle(dir, ocispec.Options{})
	if err != nil {
		t.Fatalf("FromBundle: %v", err)
	}
	if got := at(document(t, raw), "root", "path"); got != other {
		t.Errorf("root.path is %v, want %s", got, other)
	}
}

func TestBundleErrors(t *testing.T) {
	const process = `"process":{"args":["sh"],"cwd":"/"}`
	const root = `"root":{"path":"rootfs"}`
	const head = `config.json of bundle "BUNDLE": `
	for _, tt := range []struct{ name, config, want string }{
		{"empty", ``, head + `line 1, column 0: unexpected end of JSON input`},
		{"not JSON", "{\n  \"ociVersion\": nope\n}", head + `line 2, column 18: invalid character 'o' in literal null (expecting 'u')`},
		{"two documents", `{} {}`, head + `line 1, column 4: invalid character '{' after top-level value`},
		{"list", `[]`, head + `line 1, column 1: the document has a value of the wrong type: array`},
		{"null", `null`, head + `the document is not a JSON object`},
		{"wrong type", `{"process":{"args":"sh"}}`, head + `line 1, column 23: "process.args" has a value of the wrong type: string`},
		{"negative uid", `{"process":{"user":{"uid":-1}}}`, head + `line 1, column 28: "process.user.uid" has a value of the wrong type: number -1`},
		{"no version", `{}`, head + "\"ociVersion\" is missing, so this is no OCI runtime spec; make one with `runc spec`"},
		{"no process", `{"ociVersion":"1.0.2",` + root + `}`, head + "\"process\" is missing; `runc spec` shows what it must hold"},
		{"null process", `{"ociVersion":"1.0.2","process":null,` + root + `}`, head + "\"process\" is missing; `runc spec` shows what it must hold"},
		{"no args", `{"ociVersion":"1.0.2","process":{"args":[]},` + root + `}`, head + `there is no command to run; give one, or set process.args in the spec`},
		{"no root", `{"ociVersion":"1.0.2",` + process + `}`, head + "\"root\" is missing; `runc spec` shows what it must hold"},
		{"no root path", `{"ociVersion":"1.0.2",` + process + `,"root":{}}`, head + `"root.path" is missing; name the directory of the root file system, usually "rootfs"`},
		{"rootfs absent", `{"ociVersion":"1.0.2",` + process + `,"root":{"path":"nope"}}`, head + `"root.path": "BUNDLE/nope": no such file or directory`},
		{"rootfs a file", `{"ociVersion":"1.0.2",` + process + `,"root":{"path":"config.json"}}`, head + `"root.path": "BUNDLE/config.json" is not a directory`},
		{"rootfs outside", `{"ociVersion":"1.0.2",` + process + `,"root":{"path":"../"}}`, head + `"root.path" leads out of the bundle, to "PARENT"; write that path in full if it is meant`},
		{"not UTF-8", "{\n\"hostname\":\"\xff\"}", head + `line 2, column 13: not UTF-8, as JSON has to be`},
		{"swap below the limit", `{"ociVersion":"1.0.2",` + process + `,"root":{"path":"rootfs"},"linux":{"resources":{"memory":{"limit":67108865,"swap":67108864}}}}`, head + `linux.resources.memory.swap is 67108864 bytes: it limits memory and swap together, and cannot be below the memory limit of 67108865 bytes; correct the bundle, or give a lower memory limit`},
		{"swap without a limit", `{"ociVersion":"1.0.2",` + process + `,"root":{"path":"rootfs"},"linux":{"resources":{"memory":{"limit":-1,"swap":67108864}}}}`, head + `linux.resources.memory.swap is 67108864 bytes: it limits memory and swap together, and does not go without a memory limit; give one of at most that`},
		{"rootfs a link outside", `{"ociVersion":"1.0.2",` + process + `,"root":{"path":"out"}}`, head + `"root.path" leads out of the bundle, to "/usr"; write that path in full if it is meant`},
		{"host root", `{"ociVersion":"1.0.2",` + process + `,"root":{"path":"/usr/.."}}`, head + `"root.path": "/usr/.." is the host's own root; give a directory that the container may change`},
		{"key twice", `{"ociVersion":"1.0.2",` + process + `,` + root + `,"root":{"path":"/"}}`, head + `the document has both "root" and "root"; keep one of them`},
		{"key in other case", `{"ociVersion":"1.0.2",` + process + `,` + root + `,"Root":{"path":"/"}}`, head + `the document has both "root" and "Root"; keep one of them`},
		{"hooks in other case", `{"ociVersion":"1.0.2",` + process + `,` + root + `,"HOOKS":{"prestart":[{"path":"/bin/true"}]}}`, head + `"HOOKS" must be written "hooks"`},
		{"deep key in other case", `{"ociVersion":"1.0.2","process":{"args":["a"],"cwd":"/","user":{"UID":0,"uid":1000}},` + root + `}`, head + `"process.user.UID" must be written "uid"`},
		{"capital key", `{"ociVersion":"1.0.2",` + process + `,"Root":{"path":"rootfs"}}`, head + `"Root" must be written "root"`},
		{"capital key inside", `{"ociVersion":"1.0.2",` + process + `,"root":{"PATH":"/"}}`, head + `"root.PATH" must be written "path"`},
		{"capital key to be set", `{"ociVersion":"1.0.2","process":{"args":["sh"],"user":{"AdditionalGIDs":[0]}},` + root + `}`, head + `"process.user.AdditionalGIDs" must be written "additionalGids"`},
		{"long s", `{"ociVersion":"1.0.2","proce\u017fs":{"args":["sh"]},` + root + `}`, head + `"proceſs" must be written "process"`},
		{"too large", strings.Repeat(" ", executor.MaxSpecSize+1), head + `it has 4194305 bytes, at most 4194304 are allowed`},
		{"too deep", `{"ociVersion":"1.0.2",` + process + `,` + root + `,"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, head + `line 1, column 10087: invalid character '[' exceeded max depth`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := bundle(t, tt.config)
			if err := os.Symlink("/usr", filepath.Join(dir, "out")); err != nil {
				t.Fatal(err)
			}
			raw, err := ocispec.FromBundle(dir, ocispec.Options{User: "1:1"})
			want := strings.NewReplacer("BUNDLE", dir, "PARENT", filepath.Dir(dir)).Replace(tt.want)
			checkError(t, raw, err, want)
		})
	}
}

// TestBundlePaths shows what is said of directories that are no bundles.
func TestBundlePaths(t *testing.T) {
	dir := realTempDir(t)
	write(t, filepath.Join(dir, "file"), "")
	for _, d := range []string{"none", "fifo", "dir/config.json"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo/config.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, path, want string }{
		{"empty", "", `bundle is empty; give an absolute path`},
		{"relative", "b", `bundle "b" is not an absolute path`},
		{"zero byte", "/a\x00b", `bundle "/a\x00b" holds a zero byte`},
		{"absent", "/no/such", `bundle "/no/such": no such file or directory`},
		{"a file", dir + "/file", `bundle "` + dir + `/file" is not a directory`},
		{"no config.json", dir + "/none", `bundle "` + dir + "/none\" has no config.json; make one with `runc spec`, or run a rootfs without a bundle"},
		{"a FIFO", dir + "/fifo", `config.json of bundle "` + dir + `/fifo": a FIFO, not a regular file`},
		{"a directory", dir + "/dir", `config.json of bundle "` + dir + `/dir": is a directory`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := ocispec.FromBundle(tt.path, ocispec.Options{})
			checkError(t, raw, err, tt.want)
		})
	}
}

func checkError(t *testing.T, raw []byte, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error but %s, want %s", raw, want)
	}
	if err.Error() != want {
		t.Errorf("error\n got %s\nwant %s", err, want)
	}
	if executor.CodeOf(err) != executor.Invalid {
		t.Errorf("error has the code %s, want %s", executor.CodeOf(err), executor.Invalid)
	}
}

func TestRootfs(t *testing.T) {
	dir := bundle(t, "") + "/rootfs"
	link := filepath.Join(realTempDir(t), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	raw, err := ocispec.FromRootfs(link+"/", ocispec.Options{
		Args: []string{"sh", "-c", "a<b"}, Env: []string{"PATH=/bin"}, Terminal: new(true),
		Mounts: []specs.Mount{{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"size=1"}}},
	})
	if err != nil {
		t.Fatalf("FromRootfs: %v", err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	if spec.Version != "1.0.2" || spec.Root.Path != dir || spec.Root.Readonly || spec.Hostname != "" || spec.Linux.CgroupsPath != "" {
		t.Errorf("version, root, hostname or cgroup are wrong: %+v, %+v", spec, spec.Root)
	}
	p := spec.Process
	if !reflect.DeepEqual(p.Args, []string{"sh", "-c", "a<b"}) || !reflect.DeepEqual(p.Env, []string{"PATH=/bin", "TERM=xterm"}) || !p.Terminal || p.Cwd != "/" || p.NoNewPrivileges || p.OOMScoreAdj == nil || *p.OOMScoreAdj < 0 ||
		!reflect.DeepEqual(p.User.AdditionalGids, []uint32{0, 40}) {
		t.Errorf("process is %+v", p)
	}
	if n := len(p.Capabilities.Bounding); n != 14 || len(p.Capabilities.Inheritable)+len(p.Capabilities.Ambient) > 0 {
		t.Errorf("capabilities are %+v", p.Capabilities)
	}
	var own syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	if r := p.Rlimits[0]; r.Hard != min(524288, own.Max) || r.Soft != min(65536, own.Max) {
		t.Errorf("limit of open files is %+v, our own %+v", r, own)
	}
	soft := map[string]uint64{}
	for _, r := range p.Rlimits {
		soft[r.Type] = r.Soft
		if r.Soft > r.Hard {
			t.Errorf("limit is %+v", r)
		}
	}
	if core, ok := soft["RLIMIT_CORE"]; !ok || core != 0 || soft["RLIMIT_STACK"] == 0 || soft["RLIMIT_STACK"] > 8<<20 || soft["RLIMIT_NPROC"] == 0 {
		t.Errorf("limits are %+v: this process's leak", p.Rlimits)
	}
	shm := 0
	for _, m := range spec.Mounts {
		if m.Destination == "/dev/shm" {
			shm++
		}
	}
	if m := spec.Mounts[3]; shm != 1 || m.Options[0] != "size=1" {
		t.Errorf("mounts are %+v", spec.Mounts)
	}
}

func TestRootfsErrors(t *testing.T) {
	dir := bundle(t, "")
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(dir, "odd")
	if err := os.MkdirAll(odd+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(odd+"/etc/passwd", 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"sh"}
	rootfs := dir + "/rootfs"
	for _, tt := range []struct {
		name, dir string
		o         ocispec.Options
		want      string
	}{
		{"empty", "", ocispec.Options{Args: args}, `rootfs is empty; give an absolute path`},
		{"relative", "rootfs", ocispec.Options{Args: args}, `rootfs "rootfs" is not an absolute path`},
		{"absent", "/no/such", ocispec.Options{Args: args}, `rootfs "/no/such": no such file or directory`},
		{"a file", dir + "/config.json", ocispec.Options{Args: args}, `rootfs "` + dir + `/config.json" is not a directory`},
		{"host root", "/usr/../", ocispec.Options{Args: args}, `rootfs "/usr/../" is the host's own root; give a directory that the container may change`},
		{"no command", rootfs, ocispec.Options{}, `there is no command to run; give one, or set process.args in the spec`},
		{"zero byte in args", rootfs, ocispec.Options{Args: []string{"a\x00"}}, `argument "a\x00" holds a zero byte`},
		{"args not UTF-8", rootfs, ocispec.Options{Args: []string{"a\xff"}}, `argument "a\xff" is not UTF-8`},
		{"env not UTF-8", rootfs, ocispec.Options{Args: args, Env: []string{"A=\xff"}}, `environment variable "A=\xff" is not UTF-8`},
		{"cwd not UTF-8", rootfs, ocispec.Options{Args: args, Cwd: "/\xff"}, `working directory "/\xff" is not UTF-8`},
		{"user not UTF-8", rootfs, ocispec.Options{Args: args, User: "\xff"}, `user "\xff" is not UTF-8`},
		{"rootfs not UTF-8", rootfs + "/\xff", ocispec.Options{Args: args}, `rootfs "` + rootfs + `/\xff" is not UTF-8`},
		{"mount source not UTF-8", rootfs, ocispec.Options{Args: args, Mounts: []specs.Mount{{Destination: "/x", Type: "bind", Source: "/\xff"}}}, `mount source "/\xff" is not UTF-8`},
		{"annotation not UTF-8", rootfs, ocispec.Options{Args: args, Annotations: map[string]string{"a": "\xff"}}, `annotation "a=\xff" is not UTF-8`},
		{"env", rootfs, ocispec.Options{Args: args, Env: []string{"=x"}}, `environment variable "=x" is not of the form NAME=VALUE`},
		{"cwd", rootfs, ocispec.Options{Args: args, Cwd: "tmp"}, `working directory "tmp" is not an absolute path`},
		{"hostname", rootfs, ocispec.Options{Args: args, Hostname: "a b"}, `host name "a b" is not allowed; use up to 64 letters, digits, '.', '_' and '-', beginning and ending with a letter or digit`},
		{"hostname too long", rootfs, ocispec.Options{Args: args, Hostname: strings.Repeat("h", 65)}, `host name "` + strings.Repeat("h", 65) + `" is not allowed; use up to 64 letters, digits, '.', '_' and '-', beginning and ending with a letter or digit`},
		{"mount target", rootfs, ocispec.Options{Args: args, Mounts: []specs.Mount{{Destination: "x"}}}, `mount target "x" is not an absolute path`},
		{"mount on root", rootfs, ocispec.Options{Args: args, Mounts: []specs.Mount{{Destination: "/x/.."}}}, `mount target / would hide the whole rootfs; choose a directory below it`},
		{"mount source", rootfs, ocispec.Options{Args: args, Mounts: []specs.Mount{{Destination: "/x", Options: []string{"rbind"}, Source: "y"}}}, `mount source "y" is not an absolute path`},
		{"mount source absent", rootfs, ocispec.Options{Args: args, Mounts: []specs.Mount{{Destination: "/x", Type: "bind", Source: "/no/such"}}}, `mount source "/no/such": no such file or directory; create it first`},
		{"mount twice", rootfs, ocispec.Options{Args: args, Mounts: []specs.Mount{{Destination: "/x"}, {Destination: "/x/"}}}, `two mounts have the target "/x"; keep one of them`},
		{"memory", rootfs, ocispec.Options{Args: args, MemoryBytes: -1}, `memory limit of -1 bytes is too small, at least 6291456 (6m) are needed`},
		{"cpus", rootfs, ocispec.Options{Args: args, CPUs: math.Inf(1)}, `+Inf CPUs are not possible; give a number from 0.01 to 8192`},
		{"cpus NaN", rootfs, ocispec.Options{Args: args, CPUs: math.NaN()}, `NaN CPUs are not possible; give a number from 0.01 to 8192`},
		{"pids", rootfs, ocispec.Options{Args: args, PidsLimit: -2}, `pids limit -2 is not possible; give a number from 1 to 4194304, or -1 for no limit`},
		{"pids too many", rootfs, ocispec.Options{Args: args, PidsLimit: math.MaxInt64}, `pids limit 9223372036854775807 is not possible; give a number from 1 to 4194304, or -1 for no limit`},
		{"annotation", rootfs, ocispec.Options{Args: args, Annotations: map[string]string{"": "x"}}, `annotation ""="x" has no key or holds a zero byte`},
		{"user form", rootfs, ocispec.Options{Args: args, User: "a:b:c"}, `user "a:b:c" is not of the form USER or USER:GROUP`},
		{"user empty", rootfs, ocispec.Options{Args: args, User: ":5"}, `user ":5" is not of the form USER or USER:GROUP`},
		{"user unknown", rootfs, ocispec.Options{Args: args, User: "bob"}, `user "bob" is not known in /etc/passwd and /etc/group of rootfs "` + rootfs + `"; give numbers, such as 1000:1000`},
		{"group unknown", rootfs, ocispec.Options{Args: args, User: "web:bob"}, `user "web:bob" is not known in /etc/passwd and /etc/group of rootfs "` + rootfs + `"; give numbers, such as 1000:1000`},
		{"user without passwd", dir + "/data", ocispec.Options{Args: args, User: "bob"}, `user "bob" is not known in /etc/passwd and /etc/group of rootfs "` + dir + `/data"; give numbers, such as 1000:1000`},
		{"uid range", rootfs, ocispec.Options{Args: args, User: "2147483648"}, `user "2147483648": ids go from 0 to 2147483647`},
		{"uid negative", rootfs, ocispec.Options{Args: args, User: "-1"}, `user "-1": ids go from 0 to 2147483647`},
		{"uid that would be root", rootfs, ocispec.Options{Args: args, User: "wrap"}, `file "/etc/passwd" of rootfs "` + rootfs + `", line 3: "wrap" has the uid "4294967296", which is no number from 0 to 2147483647; correct the file, or give the user by numbers, such as 1000:1000`},
		{"passwd a FIFO", odd, ocispec.Options{Args: args, User: "bob"}, `file "/etc/passwd" of rootfs "` + odd + `" cannot be read: a FIFO, not a regular file; give the user by numbers, such as 1000:1000`},
		{"too large", rootfs, ocispec.Options{Args: []string{strings.Repeat("x", executor.MaxSpecSize)}}, `the spec has 4196600 bytes, at most 4194304 are allowed`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := ocispec.FromRootfs(tt.dir, tt.o)
			if err != nil && strings.HasPrefix(tt.want, "the spec has ") {
				tt.want = "the spec has " + strings.Fields(err.Error())[3] + " bytes, at most 4194304 are allowed"
			}
			checkError(t, raw, err, tt.want)
		})
	}
}

func TestUser(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	if err := os.Rename(rootfs+"/etc/passwd", rootfs+"/passwd"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/passwd", rootfs+"/etc/passwd"); err != nil { // absolute in the container
		t.Fatal(err)
	}
	for _, tt := range []struct{ user, want string }{
		{"web", `{"additionalGids":[34,40],"gid":34,"uid":33}`},
		{"33", `{"additionalGids":[34,40],"gid":34,"uid":33}`},
		{"web:log", `{"additionalGids":[40],"gid":40,"uid":33}`},
		{"web:7", `{"additionalGids":[7],"gid":7,"uid":33}`},
		{"1000", `{"additionalGids":[0],"gid":0,"uid":1000}`},
		{"1000:1001", `{"additionalGids":[1001],"gid":1001,"uid":1000}`},
		{"root", `{"additionalGids":[0,40],"gid":0,"uid":0}`},
	} {
		t.Run(tt.user, func(t *testing.T) {
			raw, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh"}, User: tt.user})
			if err != nil {
				t.Fatalf("FromRootfs: %v", err)
			}
			got, err := json.Marshal(at(document(t, raw), "process", "user"))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("user is %s, want %s", got, tt.want)
			}
		})
	}
}

// TestUserFilesAreNoDevices checks that a root file system cannot make the host open a
// device, such as a watchdog, which then runs. This one would say that it does not exist.
func TestUserFilesAreNoDevices(t *testing.T) {
	rootfs := realTempDir(t)
	if err := os.Mkdir(rootfs+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mknod(rootfs+"/etc/passwd", syscall.S_IFCHR|0o600, 240<<8|99); err != nil {
		t.Skip(err)
	}
	_, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"sh"}, User: "bob"})
	if err == nil || !strings.Contains(err.Error(), "a device, not a regular file") {
		t.Errorf("got %v, want it refused unopened", err)
	}
}
