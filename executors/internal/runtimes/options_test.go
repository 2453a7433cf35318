package runtimes

import (
	"encoding/hex"
	"testing"

	"github.com/containerd/containerd/api/types/runc/options"
	"google.golang.org/protobuf/proto"
)

func TestWire(t *testing.T) {
	all := Options{
		Root: new("/r"), SystemdCgroup: new(true), NoPivotRoot: new(true), NoNewKeyring: new(true),
		ShimCgroup: new("/s"), IoUID: new(int64(300)), IoGID: new(int64(2)),
		CriuImagePath: new("/i"), CriuWorkPath: new("/w"),
	}
	t.Run("runc", func(t *testing.T) {
		w, err := Resolved{Shim: ShimRuncV2, Options: all}.Wire("/bin/crun", Owner{UID: 7, GID: 8})
		if err != nil {
			t.Fatal(err)
		}
		var got options.Options
		if err := proto.Unmarshal(w.Container.GetValue(), &got); err != nil {
			t.Fatal(err)
		}
		want := &options.Options{
			NoPivotRoot: true, NoNewKeyring: true, ShimCgroup: "/s", IoUid: 300, IoGid: 2, BinaryName: "/bin/crun",
			Root: "/r", SystemdCgroup: true, CriuImagePath: "/i", CriuWorkPath: "/w",
		}
		if !proto.Equal(&got, want) || w.Container.GetTypeUrl() != "containerd.runc.v1.Options" || w.Task != nil {
			t.Errorf("got %s, %v", w.Container.GetTypeUrl(), &got)
		}
	})
	t.Run("owner of the pipes", func(t *testing.T) {
		var got options.Options
		w, err := Resolved{Shim: ShimRuncV2}.Wire("", Owner{UID: 7, GID: 8})
		if err == nil {
			err = proto.Unmarshal(w.Container.GetValue(), &got)
		}
		if err != nil || got.GetIoUid() != 7 || got.GetIoGid() != 8 {
			t.Errorf("got %v, %v", &got, err)
		}
	})
	t.Run("linux", func(t *testing.T) {
		// The expected bytes were made with containerd 1.6's own types.
		all := all
		all.CriuPath = new("/c")
		w, err := Resolved{Shim: ShimLinuxV1, Options: all}.Wire("/bin/crun", Owner{UID: 7, GID: 8})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := hex.EncodeToString(w.Container.GetValue()), "0a092f62696e2f6372756e12022f721a022f632001"; got != want || w.Container.GetTypeUrl() != "containerd.linux.runc.RuncOptions" {
			t.Errorf("container: got %s %s, want %s", w.Container.GetTypeUrl(), got, want)
		}
		if got, want := hex.EncodeToString(w.Task.GetValue()), "080140014a022f7350ac02580262022f776a022f69"; got != want || w.Task.GetTypeUrl() != "containerd.linux.runc.CreateOptions" {
			t.Errorf("task: got %s %s, want %s", w.Task.GetTypeUrl(), got, want)
		}
	})
	t.Run("generic", func(t *testing.T) {
		w, err := Resolved{Shim: "io.containerd.kata.v2"}.Wire("", Owner{})
		if err != nil || w.Container != nil || w.Task != nil {
			t.Errorf("without options: got %+v, %v", w, err)
		}
		w, err = Resolved{Shim: "io.containerd.kata.v2", Options: Options{ConfigPath: new("/c")}}.Wire("", Owner{})
		if err != nil || w.Container.GetTypeUrl() != "runtimeoptions.v1.Options" {
			t.Errorf("with options: got %+v, %v", w, err)
		}
	})
}

func TestShimBinary(t *testing.T) {
	for shim, want := range map[string]string{
		ShimRuncV2: "containerd-shim-runc-v2", ShimRuncV1: "containerd-shim-runc-v1", ShimLinuxV1: "containerd-shim",
		"io.containerd.kata.v2": "containerd-shim-kata-v2", "/opt/shim": "/opt/shim",
	} {
		if got := ShimBinary(shim); got != want {
			t.Errorf("%s: got %s, want %s", shim, got, want)
		}
	}
}

func TestFindVersion(t *testing.T) {
	for output, want := range map[string]string{
		"containerd-shim-runc-v2:\n  Version:  1.6.20~ds1\n  Revision: x\n": "1.6.20~ds1",
		"runc version 1.1.5+ds1\ncommit: 1\nspec: 1.0.2-dev\n":              "1.1.5+ds1",
		"crun version 1.8.1\n": "1.8.1",
		"nothing\n":            "",
	} {
		if got := findVersion(output); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}

func TestRelease(t *testing.T) {
	for _, tt := range []struct {
		version string
		want    Release
		ok      bool
	}{
		{"1.6.20~ds1", Release{1, 6}, true},
		{"v2.4.2+unknown", Release{2, 4}, true},
		{"2.3.0-rc.1", Release{2, 3}, true},
		{"unknown", Release{}, false},
		{"", Release{}, false},
	} {
		if got, ok := ParseRelease(tt.version); got != tt.want || ok != tt.ok {
			t.Errorf("%q: got %v, %t", tt.version, got, ok)
		}
	}
}
