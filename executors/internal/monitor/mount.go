package monitor

import (
	"errors"

	"golang.org/x/sys/unix"
)

// mount makes a mount, and the place for it if there is none.
func (r rootDir) mount(m Mount) error {
	dir := true
	if m.Flags&unix.MS_BIND != 0 {
		var st unix.Stat_t
		if err := unix.Stat(m.Source, &st); err != nil {
			return err
		}
		dir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	}
	if err := r.make(m.Target, dir); err != nil {
		return err
	}
	target, err := r.open(m.Target)
	if err != nil {
		return err
	}
	err = unix.Mount(m.Source, at(target), m.Type, m.Flags, m.Data)
	_ = unix.Close(target)
	if err != nil {
		return err
	}
	target, err = r.open(m.Target) // what is mounted now
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if extra := m.Flags &^ (unix.MS_BIND | unix.MS_REC); m.Flags&unix.MS_BIND != 0 && extra != 0 {
		if err := remount(at(target), extra); err != nil {
			return err
		}
	}
	if m.Propagation != 0 {
		if err := unix.Mount("", at(target), "", m.Propagation, ""); err != nil {
			return err
		}
	}
	if m.Devices {
		return makeDevices(target)
	}
	return nil
}

// remount adds flags to a bind mount. A flag that the mount has already may be locked.
func remount(target string, flags uintptr) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(target, &fs); err != nil {
		return err
	}
	// These flags of statfs(2) have the numbers of those of mount(2).
	const same = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for seen, set := range map[int64]uintptr{unix.ST_NOATIME: unix.MS_NOATIME, unix.ST_NODIRATIME: unix.MS_NODIRATIME, unix.ST_RELATIME: unix.MS_RELATIME} {
		if int64(fs.Flags)&seen != 0 {
			flags |= set
		}
	}
	return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|flags|uintptr(fs.Flags)&same, "")
}

func (r rootDir) readOnly(name string) error {
	target, err := r.open(name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	err = unix.Mount(at(target), at(target), "", unix.MS_BIND|unix.MS_REC, "")
	_ = unix.Close(target)
	if err != nil {
		return err
	}
	if target, err = r.open(name); err != nil {
		return err
	}
	defer unix.Close(target)
	return remount(at(target), unix.MS_RDONLY)
}

func (r rootDir) mask(name string) error {
	target, err := r.open(name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if isDir(target) {
		return unix.Mount("tmpfs", at(target), "tmpfs", unix.MS_RDONLY, "")
	}
	null, err := r.open("/dev/null")
	if err != nil {
		return err
	}
	defer unix.Close(null)
	var st unix.Stat_t
	if err := unix.Fstat(null, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return errors.New("/dev/null is no device")
	}
	return unix.Mount(at(null), at(target), "", unix.MS_BIND, "")
}

// makeDevices makes in a file system for /dev what every program expects there.
func makeDevices(dev int) error {
	var errs []error
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		err := unix.Mknodat(dev, d.name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor)))
		if err == nil {
			err = unix.Fchmodat(dev, d.name, 0o666, 0) // whatever the umask
		}
		errs = append(errs, err)
	}
	for _, l := range [][2]string{
		{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
		{"ptmx", "pts/ptmx"},
	} {
		errs = append(errs, unix.Symlinkat(l[1], dev, l[0]))
	}
	return errors.Join(errs...)
}
