package oci

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Remains is by what the processes of a container are found when neither its shim nor
// its runtime ends them: the last resort of a removal.
type Remains struct {
	// PID is the first process, and Start when that started: another process may have
	// its pid by now.
	PID   int    `json:"pid,omitempty"`
	Start uint64 `json:"start,omitempty"`
	// Cgroups are the directories of cgroups that are the container's alone.
	Cgroups []string `json:"cgroups,omitempty"`
}

// RemainsOf returns what is known of a container by its first process. A cgroup is the
// container's alone if it is named after the container: one that the spec names may be
// shared, and so may that of the executor, in which some runtimes stay.
func RemainsOf(pid int, cid string) Remains {
	var r Remains
	if s, err := linux.StatOf(pid); err == nil {
		r.PID, r.Start = pid, s.Start
	}
	cgroups, err := cgroupsOf(pid)
	if err != nil {
		return r
	}
	for _, dir := range cgroups {
		if isCgroupOf(dir, cid) {
			r.Cgroups = append(r.Cgroups, dir)
		}
	}
	return r.With(Remains{})
}

// cgroupsOf returns the directories of the cgroups of a process, by the hierarchy.
func cgroupsOf(pid int) (map[string]string, error) {
	paths, err := linux.CgroupsOf(pid)
	dirs := map[string]string{}
	for _, m := range cgroupMounts() {
		for controller, path := range paths {
			if m.Unified && controller == "" || controller != "" && m.Has(controller) {
				dirs[m.Mountpoint] = m.Dir(path)
			}
		}
	}
	return dirs, err
}

func isCgroupOf(dir, cid string) bool {
	name := filepath.Base(dir)
	return name == cid || name == "davit-"+cid+".scope"
}

// Remains returns what can be known of a container that was not seen to run. One of an
// earlier owner, whose key is in its id, has its cgroups below that owner's.
func (o Owner) Remains(parent, cid string) Remains {
	var r Remains
	for _, m := range cgroupMounts() {
		r.Cgroups = append(r.Cgroups, m.Dir(o.Cgroup(parent, cid, false)))
		if earlier, ok := o.earlier(cid); ok {
			r.Cgroups = append(r.Cgroups, m.Dir(filepath.Join(earlier, cid)))
		}
	}
	return r
}

// earlier returns the parent of the cgroups of the owner that a container had before.
func (o Owner) earlier(cid string) (parent string, ok bool) {
	key := cid[strings.LastIndex(cid, "-")+1:]
	return filepath.Join("/davit", key), key != o.Key()
}

// TidyEarlier removes the parent of the cgroups of the owner that a container had before
// if it is empty.
func (o Owner) TidyEarlier(cid string) {
	if parent, ok := o.earlier(cid); ok {
		for _, m := range cgroupMounts() {
			_ = os.Remove(m.Dir(parent)) // fails unless empty
		}
	}
}

// With returns what r and other know.
func (r Remains) With(other Remains) Remains {
	if r.PID == 0 {
		r.PID, r.Start = other.PID, other.Start
	}
	r.Cgroups = slices.Concat(r.Cgroups, other.Cgroups)
	slices.Sort(r.Cgroups)
	r.Cgroups = slices.Compact(r.Cgroups)
	return r
}

// End kills the processes that are left, frozen ones too, and waits for their end. It
// returns how many there were.
func (r Remains) End(ctx context.Context) (found int, err error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		left := r.kill()
		if len(left) == 0 {
			return found, nil
		}
		found = max(found, len(left))
		if !Pause(ctx, wait) {
			return found, fmt.Errorf("processes %v of the container do not end: %w", left, ctx.Err())
		}
	}
}

// RemoveCgroups removes the cgroups, of which an OCI runtime may have left some: where
// version 2 is mounted beside version 1, runc 1.1 does not always remove the directory in
// it. Systemd removes those that it made.
func (r Remains) RemoveCgroups() {
	until := time.Now().Add(removeCgroupWait)
	for _, dir := range r.Cgroups {
		removeCgroup(dir, until)
	}
}

// Alive reports whether the first process is seen to live.
func (r Remains) Alive() bool { return r.PID > 0 && r.alive() == nil }

// killWait is how long a process may take to end by a SIGKILL that was sent.
const killWait = time.Second

// Ended waits for the end of the first process, which was sent a SIGKILL, and reports
// whether it has come, or would not be seen.
func (r Remains) Ended(ctx context.Context) bool {
	p, err := linux.OpenProcess(r.PID, r.alive)
	if err != nil {
		return true
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(ctx, killWait)
	defer cancel()
	return p.Wait(ctx) == nil
}

// kill kills the processes that are left, and returns them.
func (r Remains) kill() (left []int) {
	for _, dir := range r.Cgroups {
		left = append(left, killCgroup(dir)...)
	}
	if p, err := linux.OpenProcess(r.PID, r.alive); err == nil {
		_ = p.Signal(unix.SIGKILL)
		_ = p.Close()
		left = append(left, r.PID)
	}
	slices.Sort(left)
	return slices.Compact(left)
}

// alive returns an error if the first process has ended.
func (r Remains) alive() error {
	if s, err := linux.StatOf(r.PID); err != nil || s.Start != r.Start || s.State == 'Z' {
		return unix.ESRCH
	}
	return nil
}

// killCgroup kills the processes of a cgroup and of those below it, and returns them.
// They are frozen meanwhile, so that none escapes by a fork.
func killCgroup(dir string) (pids []int) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			pids = append(pids, killCgroup(filepath.Join(dir, e.Name()))...)
		}
	}
	found := openCgroup(dir)
	if len(found) == 0 {
		return pids
	}
	freezeCgroup(dir, true)
	defer freezeCgroup(dir, false) // in version 1 a frozen process does not even die
	write(dir, "cgroup.kill", "1")
	// A pid that is still within the cgroup is that of the process that was opened.
	within := processesOf(dir)
	for _, p := range found {
		if slices.Contains(within, p.PID) {
			_ = p.Signal(unix.SIGKILL)
			pids = append(pids, p.PID)
		}
		_ = p.Close()
	}
	return pids
}

func openCgroup(dir string) (found []*linux.Process) {
	for _, pid := range processesOf(dir) {
		if pid == os.Getpid() {
			continue
		}
		if p, err := linux.OpenProcess(pid, nil); err == nil {
			found = append(found, p)
		}
	}
	return found
}

func processesOf(dir string) (pids []int) {
	text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for line := range bytes.Lines(text) {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(line))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// freezeCgroup freezes a cgroup or thaws it, by the file of either version that is
// there.
func freezeCgroup(dir string, frozen bool) {
	v1, v2 := "THAWED", "0"
	if frozen {
		v1, v2 = "FROZEN", "1"
	}
	write(dir, "freezer.state", v1)
	write(dir, "cgroup.freeze", v2)
}

// write writes a file of a cgroup, if there is one.
func write(dir, file, value string) {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(value)
}
