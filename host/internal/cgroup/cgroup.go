// Package cgroup puts processes into a cgroup of their own, in every hierarchy that
// is mounted: one of version 2, several of version 1, or both.
//
// # Rationale
//
// Why every hierarchy? A service manager that stops a unit kills all processes in the
// unit's cgroup, in whichever hierarchy it keeps its units. Processes that are charged to
// a unit are killed when the unit's memory runs out. A process that is to outlive the
// unit must be in none of its cgroups.
//
// Why not a scope of systemd? It would need systemd and its bus, which may restart or be
// absent. systemd leaves a cgroup beside its own alone.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/linux"
)

// Cgroup is a cgroup of the same path in all hierarchies, whether it exists or not.
type Cgroup struct {
	path string
	dirs []dir
	// left are the paths of cgroups beside it that processes have left for it. They were
	// the processes' own, made by a host whose id is lost.
	left []string
}

// dir is a cgroup in one hierarchy.
type dir struct {
	mountpoint string
	path       string // below the mountpoint
	cpuset     bool   // of version 1
}

// At returns the cgroup at a path from the roots of the hierarchies that this process
// sees.
func At(path string) (*Cgroup, error) {
	mounts, err := linux.CgroupMounts()
	if err != nil {
		return nil, err
	}
	c := &Cgroup{path: path}
	for _, m := range mounts {
		c.dirs = append(c.dirs, dir{mountpoint: m.Mountpoint, path: path, cpuset: m.Has("cpuset")})
	}
	if len(c.dirs) == 0 {
		return nil, errors.New("no cgroups are mounted")
	}
	return c, nil
}

// String returns the path.
func (c *Cgroup) String() string { return c.path }

// Add moves a process, with all of its threads, into the cgroup, and makes the cgroup if
// it does not exist. Children stay where they are; later children start in the cgroup.
// The error names the hierarchies in which it failed. In the others the process has been
// moved.
func (c *Cgroup) Add(pid int) error {
	before, _ := linux.CgroupsOf(pid)
	for _, path := range before {
		if path != c.path && filepath.Dir(path) == filepath.Dir(c.path) && !slices.Contains(c.left, path) {
			c.left = append(c.left, path)
		}
	}
	var errs []error
	for _, d := range c.dirs {
		if err := d.add(pid); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Remove removes the cgroup in the hierarchies where it is empty, and those that
// processes have left for it.
func (c *Cgroup) Remove() {
	for _, d := range c.dirs {
		for _, path := range append(c.left, c.path) {
			_ = os.Remove(filepath.Join(d.mountpoint, path))
		}
	}
}

func (d dir) add(pid int) error {
	at := d.mountpoint
	for name := range strings.FieldsFuncSeq(d.path, func(r rune) bool { return r == '/' }) {
		above := at
		at = filepath.Join(at, name)
		if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if d.cpuset {
			if err := inherit(above, at); err != nil {
				return err
			}
		}
	}
	if err := os.WriteFile(filepath.Join(at, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		return fmt.Errorf("moving process %d: %w", pid, err)
	}
	return nil
}

// inherit sets the processors and the memory nodes of a new cgroup to those of the one
// above. A new cgroup has none, and then takes no process.
func inherit(above, at string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if has, err := os.ReadFile(filepath.Join(at, file)); err != nil || len(bytes.TrimSpace(has)) > 0 {
			continue // it was mounted without the prefix, or has some
		}
		value, err := os.ReadFile(filepath.Join(above, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(at, file), value, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
