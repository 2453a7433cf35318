package runtimes

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/linux"
)

// Prober asks programs for their versions. It asks again only when the file has
// changed, so that it can be used before every container. Its methods may be called
// concurrently. The zero value is ready.
type Prober struct {
	mu    sync.Mutex
	known map[fileID]string
}

// fileID changes when another file takes a path, or the file is written to.
type fileID struct {
	path     string
	dev, ino uint64
	size     int64
	mtime    time.Time
}

// Version runs path with a flag such as -v and returns the version that it prints, or
// "" if none is recognized.
func (p *Prober) Version(ctx context.Context, path, flag string) string {
	st, err := os.Stat(path)
	if err != nil {
		return ""
	}
	id := fileID{path: path, size: st.Size(), mtime: st.ModTime()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		id.dev, id.ino = sys.Dev, sys.Ino
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if v, ok := p.known[id]; ok {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out := linux.Head{Most: 64 << 10}
	cmd := exec.CommandContext(ctx, path, flag)
	cmd.Stdout = &out
	err = cmd.Run()
	if ctx.Err() != nil {
		return "" // it may answer the next time
	}
	v := ""
	if err == nil {
		v = findVersion(out.String())
	}
	if p.known == nil {
		p.known = make(map[fileID]string)
	}
	p.known[id] = v
	return v
}

var versionLine = Regexp(`(?im)\bversion:?\s+v?([0-9]\S*)`)

func findVersion(output string) string {
	if m := versionLine().FindStringSubmatch(output); m != nil {
		return m[1]
	}
	return ""
}

// Release is the part of a version that decides compatibility.
type Release struct{ Major, Minor int }

var releaseForm = Regexp(`^v?(\d+)\.(\d+)`)

// ParseRelease reads the start of a version such as 1.6.20~ds1. It reports false
// for one that does not start with two numbers, as development builds' may not.
func ParseRelease(version string) (Release, bool) {
	m := releaseForm().FindStringSubmatch(version)
	if m == nil {
		return Release{}, false
	}
	major, err := strconv.Atoi(m[1])
	if err != nil {
		return Release{}, false
	}
	minor, err := strconv.Atoi(m[2])
	return Release{major, minor}, err == nil
}

// Before reports whether r is older than o.
func (r Release) Before(o Release) bool {
	return r.Major < o.Major || r.Major == o.Major && r.Minor < o.Minor
}
