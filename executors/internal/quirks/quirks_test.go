package quirks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/linux"
)

// The texts are as the programs word them. Whoever meets another adds it as it was seen.

func TestInitCutOff(t *testing.T) {
	for text, want := range map[string]bool{
		"write exec fifo /proc/self/fd/5: broken pipe\n":              true,
		"write exec fifo /proc/self/fd/5: broken pipe\nand more\n":    false,
		"before\nwrite exec fifo /proc/self/fd/5: broken pipe\n":      false,
		"write exec fifo /proc/self/fd/5: broken pipe":                false,
		"writing syncT \"procHooks\": write pipe: broken pipe\n":      false,
		"open exec fifo /proc/self/fd/5: no such file or directory\n": false,
		"": false,
	} {
		if got := InitCutOff([]byte(text)); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}

func TestLeftByAnother(t *testing.T) {
	const hook = `failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running hook #0: error running hook: exit status 1, stdout: , stderr: `
	for text, want := range map[string]bool{
		"failed to create shim task: OCI runtime create failed: runc create failed: container with given ID already exists: unknown":                                              true,
		"failed to create shim task: OCI runtime create failed: container with id exists: web-1c2d3e4f5a: unknown":                                                                true,
		"failed to create shim task: OCI runtime create failed: container `web-1c2d3e4f5a` already exists: unknown":                                                               true,
		"failed to start shim: failed to write bootstrap.json: open bootstrap.json: no such file or directory: unknown":                                                           true,
		"failed to create shim task: open /run/containerd/io.containerd.runtime.v2.task/davit/web-1c2d3e4f5a/config.json: no such file or directory: unknown":                     true,
		"failed to start shim: start failed: io.containerd.runc.v1: getwd: no such file or directory: exit status 1: unknown":                                                     true,
		"failed to create shim task: open /run/containerd/io.containerd.runtime.v2.task/davit/other-1c2d3e4f5a/config.json: no such file or directory: unknown":                   false,
		"failed to create shim task: OCI runtime create failed: open /run/c/io.containerd.runtime.v2.task/davit/web-1c2d3e4f5a/init.pid: no such file or directory: unknown":      false,
		`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown`: false,
		`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/x already exists": stat: unknown`:                  false,
		`error mounting "/nope" to rootfs at "/x": stat /nope: no such file or directory`:                                                                                         false,
		"ttrpc: closed: unknown":                  false,
		hook + "network br0 already exists":       false,
		hook + "getwd: no such file or directory": false,
		hook + "open /x/io.containerd.runtime.v2.task/davit/web-1c2d3e4f5a/config.json: no such file or directory": false,
	} {
		if got := LeftByAnother(errors.New(text), "web-1c2d3e4f5a"); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
	if !LeftByAnother(fmt.Errorf("task web: %w", errdefs.ErrAlreadyExists), "web") {
		t.Error("a task that exists is not seen")
	}
}

func TestBundleInTheWay(t *testing.T) {
	for text, want := range map[string]string{
		"failed to start shim: mkdir /run/containerd/io.containerd.runtime.v2.task/davit/web-1c2d3e4f5a: file exists: unknown": "/run/containerd/io.containerd.runtime.v2.task/davit/web-1c2d3e4f5a",
		"mkdir /run/containerd/io.containerd.runtime.v1.linux/davit/web-1c2d3e4f5a: file exists: unknown":                      "/run/containerd/io.containerd.runtime.v1.linux/davit/web-1c2d3e4f5a",
		"mkdir /run/containerd/io.containerd.runtime.v1.linux/davit/other: file exists: unknown":                               "",
		"error running hook: exit status 1, stderr: mkdir /x/io.containerd.runtime.v2.task/davit/web-1c2d3e4f5a: file exists":  "",
		"mkdir web: file exists":                  "",
		"mkdir /run/x: file exists":               "",
		"mkdir /run/x: no space left on device":   "",
		"task web-1c2d3e4f5a: already exists":     "",
		"open /run/x: file exists, mkdir failed!": "",
	} {
		if got := BundleInTheWay(errors.New(text), "web-1c2d3e4f5a"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestShimClosed(t *testing.T) {
	for text, want := range map[string]bool{
		"failed to create shim task: ttrpc: closed: unknown": true,
		"ttrpc: closed: unknown":                             true,
		"ttrpc: server closed":                               false,
		"transport is closing: unavailable":                  false,
		"OCI runtime create failed: error running hook: exit status 1, stderr: ttrpc: closed": false,
	} {
		if got := ShimClosed(errors.New(text)); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}

func TestLosesExits(t *testing.T) {
	for version, want := range map[string]bool{"1.6.20~ds1": false, "1.7.35": true, "2.4.2": true} {
		release, ok := runtimes.ParseRelease(version)
		if !ok {
			t.Fatal(version)
		}
		if got := LosesExits(release, runtimes.KindRunc); got != want {
			t.Errorf("%s: got %t", version, got)
		}
		if LosesExits(release, runtimes.KindLinux) {
			t.Errorf("%s loses the exits of the first shim", version)
		}
	}
}

func TestOrphan(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "runc")
	script := "#!/bin/sh\necho \"$@ in $PWD with $X\" >&2\n[ $2 = " + dir + " ] && rmdir $2/$5\n"
	if err := linux.WriteProgram(binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web", "web_sandbox:web.state", "web.lock", "web2"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	o := Orphan{Binary: binary, Root: dir, ID: "web"}
	if err := o.Remove(t.Context(), "", nil); err != nil {
		t.Errorf("removal: %v", err)
	}
	err := Orphan{Binary: binary, Root: "/nowhere", ID: "web"}.Remove(t.Context(), "/", []string{"X=1"})
	if want := "--root /nowhere delete --force web in / with 1"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
	if err := o.Forget(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(dir + "/*"); len(left) != 2 { // the runtime, and the other container
		t.Errorf("left: %v", left)
	}
	if err := (Orphan{Root: "/nowhere", ID: "web"}).Forget(); err != nil {
		t.Errorf("without a root: %v", err)
	}
}

func TestCommand(t *testing.T) {
	for _, tt := range []struct{ command, message, want string }{
		{"nope", `exec: "nope": executable file not found in $PATH`, "not found"},
		{"/nope", `error during container init: exec: "/nope": stat /nope: no such file or directory`, "not found"},
		{"/bin/sh/x", `exec: "/bin/sh/x": stat /bin/sh/x: not a directory`, "not found"},
		{`a"b`, `exec: "a\"b": executable file not found in $PATH`, "not found"},
		{"nope", "executable file `nope` not found in $PATH: No such file or directory", "not found"},
		{"/nope", "executable file `/nope` not found: No such file or directory", "not found"},
		{"/etc/passwd", `exec: "/etc/passwd": permission denied`, "not executable"},
		{"/etc", `exec: "/etc": is a directory`, "not executable"},
		{"/x", `exec: "/x": exec format error`, "not executable"},
		{"/loop", `exec: "/loop": stat /loop: too many levels of symbolic links`, "not executable"},
		{"/x", "open executable: Permission denied", "not executable"},
		{"foo", `error running hook #0: error running hook: exit status 1, stdout: , stderr: exec: "foo": executable file not found in $PATH`, ""},
		{"foo", `exec: "bar": executable file not found in $PATH`, ""},
		{"/nope", `chdir to cwd ("/nope") set in config.json failed: no such file or directory`, ""},
		{"/nope", `error mounting "/nope" to rootfs at "/x": stat /nope: no such file or directory`, ""},
		{"x", `open /proc/sys/net/ipv4/ip_unprivileged_port_start: permission denied`, ""},
	} {
		got := ""
		switch {
		case CommandNotFound(tt.message, tt.command):
			got = "not found"
		case CommandNotExecutable(tt.message, tt.command):
			got = "not executable"
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.message, got, tt.want)
		}
	}
}

func TestPlainOfExec(t *testing.T) {
	const want = `exec: "/nope": stat /nope: no such file or directory`
	for _, around := range []string{
		`failed to start exec "x": OCI runtime exec failed: exec failed: unable to start container process: `,
		`OCI runtime exec failed: runc exec failed: exec failed: unable to start container process: `,
	} {
		if got := Plain(around + want + ": unknown"); got != want || !CommandNotFound(got, "/nope") {
			t.Errorf("%q: got %q", around, got)
		}
	}
}

func TestPlain(t *testing.T) {
	for message, want := range map[string]string{
		`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "x": permission denied: unknown`:                                                      `exec: "x": permission denied`,
		"failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime error (open /x/log.json: no such file or directory): /bin/x did not terminate successfully: exit status 7: unknown": "/bin/x did not terminate successfully: exit status 7",
		"container x: not found": "container x",
		"  as it is \n":          "as it is",
		"":                       "",
	} {
		if got := Plain(message); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}
