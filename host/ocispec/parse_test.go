package ocispec_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
)

func TestParse(t *testing.T) {
	cwd, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": "/root", "EMPTY": "", "ODD": "\x94"}
	lookUp := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	volume := func(s string) (any, error) { return ocispec.ParseVolume(s) }
	mount := func(s string) (any, error) { return ocispec.ParseMount(s) }
	memory := func(s string) (any, error) { return ocispec.ParseMemory(s) }
	cpus := func(s string) (any, error) { return ocispec.ParseCPUs(s) }
	environment := func(s string) (any, error) { return ocispec.ParseEnv(s, lookUp) }
	name := func(s string) (any, error) { return s, ocispec.ValidateName(s) }

	for _, tt := range []struct {
		name    string
		parse   func(string) (any, error)
		in      string
		want    string // the value as JSON, or
		wantErr string
	}{
		{"volume", volume, "/a:/b", `{"destination":"/b","type":"bind","source":"/a","options":["rbind","rprivate"]}`, ""},
		{"volume read-only", volume, "/a:/b/:ro", `{"destination":"/b","type":"bind","source":"/a","options":["rbind","rprivate","ro"]}`, ""},
		{"volume relative", volume, "./a:/b:rw", `{"destination":"/b","type":"bind","source":"` + cwd + `/a","options":["rbind","rprivate"]}`, ""},
		{"volume form", volume, "/a:", "", `volume "/a:" is not of the form SOURCE:TARGET, SOURCE:TARGET:ro or TARGET`},
		{"volume empty", volume, ":/b", "", `volume ":/b" is not of the form SOURCE:TARGET, SOURCE:TARGET:ro or TARGET`},
		{"volume anonymous", volume, "/a/", `{"destination":"/a","type":"volume"}`, ""},
		{"volume name", volume, "data:/b", `{"destination":"/b","type":"volume","source":"data"}`, ""},
		{"volume name read-only", volume, "a:/b:ro,nocopy", `{"destination":"/b","type":"volume","source":"a","options":["ro","nocopy"]}`, ""},
		{"volume bad name", volume, "-a:/b", "", `volume "-a:/b": volume name "-a" is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit`},
		{"volume relative without a dot", volume, "data/sub:/b", "", `volume "data/sub:/b": "data/sub" is neither the name of a volume nor a path that begins with / or .; for a directory write "./data/sub"`},
		{"volume nothing to copy", volume, "/a:/b:nocopy", "", `volume "/a:/b:nocopy": nothing is copied into a directory of the machine; nocopy is for volumes with a name`},
		{"volume both ways", volume, "/a:/b:ro,rw", "", `volume "/a:/b:ro,rw" is both ro and rw; use one of them`},
		{"volume read-only twice", volume, "/a:/b:ro,ro", `{"destination":"/b","type":"bind","source":"/a","options":["rbind","rprivate","ro"]}`, ""},
		{"volume option", volume, "/a:/b:z", "", `volume "/a:/b:z": option "z" is not known; use ro, rw or nocopy`},
		{"volume target", volume, "/a:b", "", `volume "/a:b": mount target "b" is not an absolute path`},
		{"volume root", volume, "/a:/", "", `volume "/a:/": mount target / would hide the whole rootfs; choose a directory below it`},

		{"mount", mount, "type=bind,source=/a,target=/b", `{"destination":"/b","type":"bind","source":"/a","options":["rbind","rprivate"]}`, ""},
		{"mount short keys", mount, "type=bind,src=./a,dst=/b,ro,bind-propagation=rslave", `{"destination":"/b","type":"bind","source":"` + cwd + `/a","options":["rbind","rslave","ro"]}`, ""},
		{"mount quoted", mount, `type=bind,"source=/a,b",destination=/b,readonly=false`, `{"destination":"/b","type":"bind","source":"/a,b","options":["rbind","rprivate"]}`, ""},
		{"mount tmpfs", mount, "type=tmpfs,target=/b,tmpfs-size=64m,tmpfs-mode=1777,readonly=1", `{"destination":"/b","type":"tmpfs","source":"tmpfs","options":["nosuid","noexec","nodev","size=67108864","mode=1777","ro"]}`, ""},
		{"mount empty", mount, "", "", `mount "" is not a list of KEY=VALUE with commas between them`},
		{"mount quote", mount, `type="bind`, "", `mount "type=\"bind" is not a list of KEY=VALUE with commas between them`},
		{"mount lines", mount, "type=bind,source=/a,target=/b\nx", "", `mount "type=bind,source=/a,target=/b\nx" is not a list of KEY=VALUE with commas between them`},
		{"mount key", mount, "type=bind,sorce=/a", "", `mount "type=bind,sorce=/a": key "sorce" is not known; use type, source, target, readonly, bind-propagation, volume-nocopy, tmpfs-size or tmpfs-mode`},
		{"mount no value", mount, "type=bind,source,target=/b", "", `mount "type=bind,source,target=/b": source has no value`},
		{"mount twice", mount, "type=bind,source=/a,src=/b,target=/c", "", `mount "type=bind,source=/a,src=/b,target=/c": src is set twice`},
		{"mount no target", mount, "type=bind,source=/a", "", `mount "type=bind,source=/a" has no target; add target=PATH`},
		{"mount no source", mount, "type=bind,target=/a", "", `mount "type=bind,target=/a" has no source; add source=PATH`},
		{"mount no type", mount, "source=/a,target=/b", "", `mount "source=/a,target=/b" has no type; add type=bind, type=volume or type=tmpfs`},
		{"mount volume", mount, "type=volume,src=a,dst=/b,ro,volume-nocopy", `{"destination":"/b","type":"volume","source":"a","options":["ro","nocopy"]}`, ""},
		{"mount anonymous", mount, "type=volume,target=/b", `{"destination":"/b","type":"volume"}`, ""},
		{"mount type", mount, "type=image,source=a,target=/b", "", `mount "type=image,source=a,target=/b": type "image" is not supported; use bind, volume or tmpfs`},
		{"mount mixed", mount, "type=tmpfs,source=/a,target=/b", "", `mount "type=tmpfs,source=/a,target=/b": source does not go with type=tmpfs`},
		{"mount read-only", mount, "type=tmpfs,target=/b,ro=maybe", "", `mount "type=tmpfs,target=/b,ro=maybe": readonly=maybe is neither true nor false`},
		{"mount size", mount, "type=tmpfs,target=/b,tmpfs-size=0", "", `mount "type=tmpfs,target=/b,tmpfs-size=0": tmpfs-size "0" is not a size; write it like 64m`},
		{"mount mode", mount, "type=tmpfs,target=/b,tmpfs-mode=9", "", `mount "type=tmpfs,target=/b,tmpfs-mode=9": tmpfs-mode "9" is not an octal mode; write it like 1777`},
		{"mount propagation", mount, "type=bind,source=/a,target=/b,bind-propagation=x", "", `mount "type=bind,source=/a,target=/b,bind-propagation=x": bind-propagation "x" is not known; use one of private, rprivate, shared, rshared, slave, rslave`},

		{"memory", memory, "512m", "536870912", ""},
		{"memory fraction", memory, "1.5GiB", "1610612736", ""},
		{"memory bytes", memory, "6291456", "6291456", ""},
		{"memory small", memory, "6291455", "", `memory "6291455" is too small, at least 6m are needed`},
		{"memory word", memory, "lots", "", `memory "lots" is not a size; write a number with b, k, m or g, such as 512m`},
		{"memory negative", memory, "-1", "", `memory "-1" is not a size; write a number with b, k, m or g, such as 512m`},
		{"memory overflow", memory, "9e30", "", `memory "9e30" is not a size; write a number with b, k, m or g, such as 512m`},

		{"cpus", cpus, "1.5", "1.5", ""},
		{"cpus zero", cpus, "0", "", `cpus "0" is not a number from 0.01 to 8192; write it like 1.5`},
		{"cpus NaN", cpus, "NaN", "", `cpus "NaN" is not a number from 0.01 to 8192; write it like 1.5`},
		{"cpus infinite", cpus, "inf", "", `cpus "inf" is not a number from 0.01 to 8192; write it like 1.5`},

		{"env", environment, "A=b=c", `"A=b=c"`, ""},
		{"env from the caller", environment, "HOME", `"HOME=/root"`, ""},
		{"env empty", environment, "EMPTY", `"EMPTY="`, ""},
		{"env not set", environment, "NONE", `""`, ""},
		{"env not UTF-8", environment, "A=\x94", "", `environment variable "A=\x94" is not UTF-8`},
		{"env from the caller, not UTF-8", environment, "ODD", "", `environment variable "ODD=\x94" is not UTF-8`},
		{"env form", environment, "=x", "", `environment variable "=x" is not of the form NAME=VALUE or NAME`},

		{"name", name, "Web_1.a-b", `"Web_1.a-b"`, ""},
		{"name longest", name, strings.Repeat("x", 64), `"` + strings.Repeat("x", 64) + `"`, ""},
		{"name empty", name, "", "", `container name is empty`},
		{"name too long", name, strings.Repeat("x", 65), "", `container name "xxxxxxxxxxxxxxxxxxxx"… has 65 bytes, at most 64 are allowed`},
		{"name dots", name, "..", "", `container name ".." is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit`},
		{"name path", name, "a/b", "", `container name "a/b" is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit`},
		{"name zero byte", name, "a\x00", "", `container name "a\x00" is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit`},
		{"name newline", name, "a\n", "", `container name "a\n" is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit`},
		{"name dash", name, "-a", "", `container name "-a" is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(tt.in)
			if tt.wantErr != "" {
				checkError(t, nil, err, tt.wantErr)
				return
			}
			if err != nil {
				t.Fatalf("parse %q: %v", tt.in, err)
			}
			raw, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if string(raw) != tt.want {
				t.Errorf("parse %q\n got %s\nwant %s", tt.in, raw, tt.want)
			}
		})
	}
}
