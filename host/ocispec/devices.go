package ocispec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Device is a device of the machine that a container may use.
type Device struct {
	// Source is the path of the device, or of a directory with devices, on the machine.
	Source string `json:"source"`
	// Target is its path in the container; empty is Source.
	Target string `json:"target,omitempty"`
	// Access is what the container may do: some of the letters r, w and m (to make device
	// files). Empty is rwm.
	Access string `json:"access,omitempty"`
}

// ParseDevice parses SOURCE[:TARGET][:ACCESS].
func ParseDevice(value string) (Device, error) {
	parts := strings.Split(value, ":")
	d := Device{Source: parts[0]}
	switch {
	case len(parts) == 2 && isAccess(parts[1]):
		d.Access = parts[1]
	case len(parts) == 2:
		d.Target = parts[1]
	case len(parts) == 3:
		d.Target, d.Access = parts[1], parts[2]
	}
	if len(parts) > 3 || slices.Contains(parts, "") {
		return d, invalid("device %q is not of the form SOURCE[:TARGET][:ACCESS], such as /dev/fuse or /dev/sda:/dev/disk:r", value)
	}
	return d, d.validate()
}

func isAccess(s string) bool {
	if s == "" {
		return false
	}
	for i, letter := range s {
		if !strings.ContainsRune("rwm", letter) || strings.ContainsRune(s[:i], letter) {
			return false
		}
	}
	return true
}

func (d Device) validate() error {
	if err := cleanPath("device", d.Source); err != nil {
		return err
	}
	if d.Target != "" {
		if err := cleanPath("target of the device", d.Target); err != nil {
			return err
		}
	}
	if d.Access != "" && !isAccess(d.Access) {
		return invalid("device %q: access %q is not known; use some of the letters r (read), w (write) and m (mknod)", d.Source, d.Access)
	}
	return nil
}

func (o *Options) validateDevices() error {
	for _, d := range o.Devices {
		if err := d.validate(); err != nil {
			return err
		}
	}
	return nil
}

// changeDevices adds devices, and what the container may do with them.
func (o *Options) changeDevices(spec *object, _ string) error {
	if len(o.Devices) == 0 {
		return nil
	}
	return spec.edit(func(linux *object) error {
		var devices []specs.LinuxDevice
		if _, err := linux.get("devices", &devices); err != nil {
			return err
		}
		var rules []specs.LinuxDeviceCgroup
		err := linux.edit(func(resources *object) error {
			if _, err := resources.get("devices", &rules); err != nil {
				return err
			}
			for _, d := range o.Devices {
				found, err := d.find()
				if err != nil {
					return err
				}
				for _, device := range found {
					devices = slices.DeleteFunc(devices, func(old specs.LinuxDevice) bool { return old.Path == device.Path })
					devices = append(devices, device)
					access := d.Access
					if access == "" {
						access = "rwm"
					}
					rules = append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: device.Type, Major: &device.Major, Minor: &device.Minor, Access: access})
				}
			}
			return resources.set("devices", rules)
		}, "resources")
		if err != nil {
			return err
		}
		return linux.set("devices", devices)
	}, "linux")
}

// find returns the device, or those in the directory.
func (d Device) find() ([]specs.LinuxDevice, error) {
	fail := func(err error) ([]specs.LinuxDevice, error) {
		return nil, fmt.Errorf("device %q: %w; give a device of this machine, or a directory that has some", d.Source, reason(err))
	}
	source, err := filepath.EvalSymlinks(d.Source)
	if err != nil {
		return fail(err)
	}
	target := d.Target
	if target == "" {
		target = d.Source
	}
	info, err := os.Stat(source)
	if err != nil {
		return fail(err)
	}
	if !info.IsDir() {
		device, ok, err := deviceAt(source, filepath.Clean(target))
		if err == nil && !ok {
			err = errors.New("it is no device")
		}
		if err != nil {
			return fail(err)
		}
		return []specs.LinuxDevice{device}, nil
	}
	found, err := devicesBelow(source, filepath.Clean(target), nil)
	if err == nil && len(found) == 0 {
		err = errors.New("the directory has no device")
	}
	if err != nil {
		return fail(err)
	}
	return found, nil
}

// machineDevices returns the devices of the machine. Terminals and what has a file system
// of its own below /dev are not among them.
func machineDevices() ([]specs.LinuxDevice, error) {
	return devicesBelow("/dev", "/dev", []string{"/dev/console", "/dev/fd", "/dev/mqueue", "/dev/ptmx", "/dev/pts", "/dev/shm"})
}

// devicesBelow returns the devices in a directory and those below it.
func devicesBelow(dir, target string, without []string) ([]specs.LinuxDevice, error) {
	var found []specs.LinuxDevice
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // devices come and go
			return nil
		case err != nil:
			return err
		case slices.Contains(without, path) && entry.IsDir():
			return filepath.SkipDir
		case slices.Contains(without, path) || entry.Type()&fs.ModeDevice == 0:
			return nil
		}
		device, ok, err := deviceAt(path, filepath.Join(target, strings.TrimPrefix(path, dir)))
		if err == nil && ok {
			found = append(found, device)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	return found, err
}

// deviceAt returns the device at a path, for a path in a container. ok is false if there
// is something else.
func deviceAt(path, target string) (_ specs.LinuxDevice, ok bool, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return specs.LinuxDevice{}, false, err
	}
	kind := map[uint32]string{unix.S_IFBLK: "b", unix.S_IFCHR: "c"}[st.Mode&unix.S_IFMT]
	return specs.LinuxDevice{
		Path: target, Type: kind,
		Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev)),
		FileMode: new(os.FileMode(st.Mode &^ unix.S_IFMT)), UID: &st.Uid, GID: &st.Gid,
	}, kind != "", nil
}
