package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/wasm/internal/guestfs"
	"github.com/davit-run/davit/shared/executor"
)

// section returns a section of a module. The content is shorter than 128 bytes.
func section(id byte, content string) string {
	return string([]byte{id, byte(len(content))}) + content
}

// module returns a module of sections.
func module(sections ...string) string {
	return "\x00asm\x01\x00\x00\x00" + strings.Join(sections, "")
}

var (
	voidType = section(1, "\x01\x60\x00\x00")       // (type (func))
	oneFunc  = section(3, "\x01\x00")               // (func (type 0))
	exported = section(7, "\x01\x06_start\x00\x00") // (export "_start" (func 0))
	body     = func(code string) string {
		return section(10, "\x01"+string([]byte{byte(len(code) + 2)})+"\x00"+code+"\x0b")
	}
	nop    = module(voidType, oneFunc, exported, body(""))
	trap   = module(voidType, oneFunc, exported, body("\x00")) // unreachable
	growth = module(voidType, oneFunc, section(5, "\x01\x00\x01"), exported,
		// (if (i32.eq (memory.grow (i32.const 99)) (i32.const -1)) (then (unreachable)))
		body("\x41\xe3\x00\x40\x00\x41\x7f\x46\x04\x40\x00\x0b"))
	started    = module(voidType, oneFunc, exported, section(8, "\x00"), body("\x00"))
	noStart    = module(voidType, oneFunc, body(""))
	taking     = module(section(1, "\x01\x60\x01\x7f\x00"), oneFunc, exported, body(""))
	importing  = module(voidType, section(2, "\x01\x03env\x05magic\x00\x00"), oneFunc, section(7, "\x01\x06_start\x00\x01"), body(""))
	mistyped   = module(voidType, section(2, "\x01\x16wasi_snapshot_preview1\x09proc_exit\x00\x00"), oneFunc, section(7, "\x01\x06_start\x00\x01"), body(""))
	importsMem = module(voidType, section(2, "\x01\x03env\x01m\x02\x00\x01"), oneFunc, exported, body(""))
	bigMemory  = module(voidType, oneFunc, section(5, "\x01\x00\x80\x08"), exported, body("")) // 1,024 pages
	component  = "\x00asm\x0d\x00\x01\x00"
)

// planOf returns a plan for a module in a root file system of its own.
func planOf(t testing.TB, module string) Plan {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "m.wasm"), []byte(module), 0o600); err != nil {
		t.Fatal(err)
	}
	return Plan{Args: []string{"m.wasm"}, Cwd: "/", Mounts: []guestfs.Mount{{Source: root, Target: "/"}}, Cache: t.TempDir()}
}

// run returns the exit code of a plan and what it wrote to stderr.
func run(t testing.TB, p Plan) (code int, stderr string, err error) {
	t.Helper()
	program, err := Load(t.Context(), p)
	if err != nil {
		return 0, "", err
	}
	defer program.Close(t.Context())
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	starts := 0
	code, err = program.Run(t.Context(), Stdio{In: f, Out: f, Err: f}, func() error { starts++; return nil })
	if err == nil && starts != 1 {
		t.Errorf("started was called %d times, want once", starts)
	}
	text, _ := os.ReadFile(f.Name())
	return code, string(text), err
}

func TestRun(t *testing.T) {
	tests := map[string]struct {
		module string
		limit  int64
		code   int
		stderr string
	}{
		"nothing":              {nop, 0, 0, ""},
		"trap":                 {trap, 0, Trapped, "unreachable"},
		"trap before _start":   {started, 0, Trapped, "unreachable"},
		"grow":                 {growth, 0, 0, ""},
		"grow to the limit":    {growth, 100 * pageSize, 0, ""},
		"grow over the limit":  {growth, 100*pageSize - 1, Trapped, "unreachable"},
		"memory of the limit":  {bigMemory, 1024 * pageSize, 0, ""},
		"memory without limit": {bigMemory, 0, 0, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, tt.module)
			p.MemoryLimit = tt.limit
			code, stderr, err := run(t, p)
			if err != nil || code != tt.code || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("got code %d, stderr %q, %v; want %d, %q", code, stderr, err, tt.code, tt.stderr)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := map[string]struct {
		module string
		want   string
	}{
		"empty":                 {"", "not a WebAssembly module"},
		"script":                {"#!/bin/sh\n", "not a WebAssembly module"},
		"magic alone":           {"\x00asm", "invalid version header"},
		"garbage":               {"\x00asm\x01\x00\x00\x00" + strings.Repeat("\xff\x07", 50), "cannot be run"},
		"truncated":             {nop[:len(nop)-3], "cannot be run"},
		"later version":         {"\x00asm\x02\x00\x00\x00", "version 2"},
		"component":             {component, "WASI preview 2"},
		"library":               {noStart, "exports no function _start"},
		"start with parameters": {taking, "takes or gives values"},
		"unknown function":      {importing, "env.magic"},
		"function of its own":   {mistyped, "wasi_snapshot_preview1.proc_exit (of other types)"},
		"imported memory":       {importsMem, "imports its memory"},
		"memory over the limit": {bigMemory, "1024 pages"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, tt.module)
			p.MemoryLimit = 1 << 20
			_, _, err := run(t, p)
			if executor.CodeOf(err) != executor.CommandNotExecutable || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %s %v, want %s with %q", executor.CodeOf(err), err, executor.CommandNotExecutable, tt.want)
			}
		})
	}
}

func TestFind(t *testing.T) {
	root, host := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		root + "/top.wasm":       nop,
		root + "/bin/hello":      "#!/bin/sh",
		root + "/bin/hello.wasm": nop,
		root + "/sbin/hello":     trap,
		root + "/app/local.wasm": nop,
		root + "/bin/script":     "#!/bin/sh",
		host + "/tool.wasm":      nop,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/app/local.wasm", root+"/bin/linked"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", host+"/out.wasm"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{root + "/bin/fifo", host + "/hostfifo"} {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	none, broken := executor.CommandNotFound, executor.CommandNotExecutable
	tests := map[string]struct {
		command string
		path    string
		code    executor.Code
	}{
		"by name":               {"hello", "/bin/hello.wasm", ""},
		"by its whole name":     {"hello.wasm", "/bin/hello.wasm", ""},
		"by path":               {"/bin/hello", "/bin/hello.wasm", ""},
		"by path of the module": {"/sbin/hello", "/sbin/hello", ""},
		"in cwd":                {"local", "/app/local.wasm", ""},
		"relative":              {"./local.wasm", "/app/./local.wasm", ""},
		"relative, up":          {"../top.wasm", "/app/../top.wasm", ""},
		"link":                  {"linked", "/bin/linked", ""},
		"not in PATH":           {"top.wasm", "", none},
		"missing":               {"/bin/none", "", none},
		"script":                {"script", "", broken},
		"directory":             {"/bin", "", broken},
		"FIFO":                  {"/bin/fifo", "", broken},
		"host, FIFO":            {"hostfifo", "", broken},
		"host, by name":         {"tool", "tool.wasm", ""},
		"host, by path":         {host + "/tool.wasm", "tool.wasm", ""},
		"host, up":              {host + "/../tool.wasm", "", none},
		"host, relative":        {"x/tool.wasm", "", none},
		"host, link out":        {"out", "", broken},
		"empty":                 {"", "", none},
	}
	tree, err := guestfs.New([]guestfs.Mount{{Source: root, Target: "/"}})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, path, err := find(tree, Plan{
				Args: []string{tt.command}, Env: []string{"PATH=/usr/bin:/bin/:/sbin"}, Cwd: "/app", ModuleDirs: []string{host},
			})
			if path != tt.path || executor.CodeOf(err) != tt.code {
				t.Errorf("got %q, %v; want %q, %q", path, err, tt.path, tt.code)
			}
		})
	}
}

// TestCache damages a cache in every way that matters. The module must run all the
// same, and the cache be whole again.
func TestCache(t *testing.T) {
	p := planOf(t, nop)
	mustRun := func(t *testing.T) {
		t.Helper()
		if code, _, err := run(t, p); code != 0 || err != nil {
			t.Fatalf("got %d, %v", code, err)
		}
	}
	mustRun(t)
	files, _ := filepath.Glob(p.Cache + "/*/*/*")
	entries, _ := filepath.Glob(p.Cache + "/*")
	if len(files) != 1 || len(entries) != 1 {
		t.Fatalf("the cache has %q", files)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"truncated": func() error { return os.Truncate(files[0], int64(len(good)/2)) },
		"empty":     func() error { return os.Truncate(files[0], 0) },
		"removed":   func() error { return os.Remove(files[0]) },
		"no sum":    func() error { return os.Remove(entries[0] + "/" + sumFile) },
		"offset changed": func() error {
			bad := []byte(string(good))
			bad[20] ^= 0x40
			return os.WriteFile(files[0], bad, 0o600)
		},
		"no directory": func() error { return os.RemoveAll(p.Cache) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			mustRun(t)
			if name == "no directory" {
				if err := os.Mkdir(p.Cache, 0o700); err != nil {
					t.Fatal(err)
				}
				mustRun(t)
			}
			if now, err := os.ReadFile(files[0]); err != nil || string(now) != string(good) {
				t.Errorf("the cache is not whole again: %v", err)
			}
		})
	}
}

func TestCacheAtOnce(t *testing.T) {
	p := planOf(t, nop)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if code, _, err := run(t, p); code != 0 || err != nil {
				t.Errorf("got %d, %v", code, err)
			}
		})
	}
	wg.Wait()
	if entries, _ := os.ReadDir(p.Cache); len(entries) != 1 {
		t.Errorf("the cache has %v", entries)
	}
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"old", "new"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "old"), then, then); err != nil {
		t.Fatal(err)
	}
	if err := Prune(dir, time.Hour); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || entries[0].Name() != "new" {
		t.Errorf("left are %v", entries)
	}
}

func TestPlanIsJSON(t *testing.T) {
	b, err := json.Marshal(Plan{Args: []string{"x"}})
	if err != nil || !strings.HasPrefix(string(b), `{"args":["x"]`) {
		t.Errorf("got %s, %v", b, err)
	}
}
