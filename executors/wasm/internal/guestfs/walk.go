package guestfs

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead over, as in Linux.
const maxLinks = 40

// place is where a path leads: to name in the directory at, or to at itself if name
// is empty. The name may exist or not, and is never "." or "..".
type place struct {
	at   node
	name string
	path string

	opened []int
}

func (p *place) close() {
	for _, fd := range p.opened {
		_ = unix.Close(fd)
	}
}

// walk finds where a path leads. A symbolic link at its end is followed if follow is
// set or a slash comes after it. The caller closes the place.
func (t *Tree) walk(name string, follow bool) (*place, error) {
	p := &place{}
	if err := t.lead(p, name, follow); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (t *Tree) lead(p *place, name string, follow bool) error {
	dirs := []node{t.mounts["/"]} // from the root to where we are
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		next, last := rest[0], len(rest) == 1
		rest = rest[1:]
		at := dirs[len(dirs)-1]
		switch next {
		case "", ".":
			continue
		case "..":
			dirs = dirs[:max(1, len(dirs)-1)]
			continue
		}
		here := path.Join(at.path, next)
		if m, ok := t.mounts[here]; ok {
			dirs = append(dirs, m)
			continue
		}
		if last && !follow && !t.missing(at, next, here) {
			p.at, p.name, p.path = at, next, here
			return nil
		}
		target, err := readlink(at.fd, next)
		switch {
		case err == nil:
			if links++; links > maxLinks {
				return unix.ELOOP
			}
			if path.IsAbs(target) {
				dirs = dirs[:1]
			}
			rest = append(strings.Split(target, "/"), rest...)
			continue
		case t.missing(at, next, here):
			dirs = append(dirs, node{t.blank.fd, here, true})
			continue
		case last:
			p.at, p.name, p.path = at, next, here
			return nil
		}
		fd, err := unix.Openat(at.fd, next, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		p.opened = append(p.opened, fd)
		dirs = append(dirs, node{fd, here, at.readOnly})
	}
	p.at = dirs[len(dirs)-1]
	p.path = p.at.path
	return nil
}

// missing reports whether a name does not exist and the empty directory replaces it.
func (t *Tree) missing(at node, name, here string) bool {
	if !t.blanks[here] {
		return false
	}
	var st unix.Stat_t
	return errors.Is(unix.Fstatat(at.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW), unix.ENOENT)
}

// readlink returns the target of a symbolic link. The error is EINVAL for anything
// else that exists.
func readlink(dir int, name string) (string, error) {
	buf := make([]byte, 4096) // PATH_MAX: the kernel allows no longer ones
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
