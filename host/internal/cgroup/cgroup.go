// Package cgroup puts processes into a cgroup of their own, in every hierarchy that
// is mounted: one of version 2, several of version 1, or both.
//
// # Rationale
//
// Why every hierarchy? A service manager that stops a unit kills what is in the
// unit's cgroup, in whichever hierarchy it keeps its units; and what is charged
// to a unit dies for want of the unit's memory. What is to outlive the unit must
// be in none of its cgroups.
//
// Why not a scope of systemd's? It would need systemd and its bus, which may
// restart or be absent. A cgroup next to systemd's own is left alone by it.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// Cgroup is a cgroup of the same path in all hierarchies, whether it exists or not.
type Cgroup struct {
	path string
	dirs []dir
}

// dir is a cgroup in one hierarchy.
type dir struct {
	mountpoint string
	path       string // below the mountpoint
	cpuset     bool   // of version 1
}

// At gives the cgroup at a path from the roots of the hierarchies that this process
// sees.
func At(path string) (*Cgroup, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, err
	}
	c := &Cgroup{path: path}
	for _, m := range mounts {
		c.dirs = append(c.dirs, dir{
			mountpoint: m.Mountpoint, path: path,
			cpuset: m.FSType == "cgroup" && strings.Contains(","+m.VFSOptions+",", ",cpuset,"),
		})
	}
	if len(c.dirs) == 0 {
		return nil, errors.New("no cgroups are mounted")
	}
	return c, nil
}

// String gives the path.
func (c *Cgroup) String() string { return c.path }

// Add moves a process, with all of its threads, into the cgroup, which is made if
// need be. Children stay where they are; those that come later are born in the
// cgroup. The error tells of the hierarchies in which it failed; in the others the
// process has been moved.
func (c *Cgroup) Add(pid int) error {
	var errs []error
	for _, d := range c.dirs {
		if err := d.add(pid); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Remove removes the cgroup in the hierarchies where it is empty.
func (c *Cgroup) Remove() {
	for _, d := range c.dirs {
		_ = os.Remove(filepath.Join(d.mountpoint, d.path))
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

// inherit gives a new cgroup the processors and the memory of the one above: it has
// none at first, and then takes no process.
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
