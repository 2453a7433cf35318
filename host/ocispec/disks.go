package ocispec

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// DiskLimitKind is what of a disk is limited.
type DiskLimitKind string

const (
	// DiskReadBytes and DiskWriteBytes are bytes a second, DiskReadOps and DiskWriteOps
	// operations a second.
	DiskReadBytes  DiskLimitKind = "read_bytes"
	DiskWriteBytes DiskLimitKind = "write_bytes"
	DiskReadOps    DiskLimitKind = "read_ops"
	DiskWriteOps   DiskLimitKind = "write_ops"
	// DiskWeight is the weight when the disk is contended, from 10 to 1000.
	DiskWeight DiskLimitKind = "weight"
)

// diskLimits says which list of a spec has the limits of a kind.
var diskLimits = map[DiskLimitKind]string{
	DiskReadBytes: "throttleReadBpsDevice", DiskWriteBytes: "throttleWriteBpsDevice",
	DiskReadOps: "throttleReadIOPSDevice", DiskWriteOps: "throttleWriteIOPSDevice",
	DiskWeight: "weightDevice",
}

// DiskLimit is a limit of one disk.
type DiskLimit struct {
	// Device is the path of the disk on the machine.
	Device string        `json:"device"`
	Kind   DiskLimitKind `json:"kind"`
	Value  uint64        `json:"value"`
}

// ParseDiskLimit parses DEVICE:VALUE. Bytes are a size such as 1m.
func ParseDiskLimit(kind DiskLimitKind, value string) (DiskLimit, error) {
	colon := max(strings.LastIndexByte(value, ':'), 0) // a path may have some, too
	device, number := value[:colon], strings.TrimPrefix(value[colon:], ":")
	var n int64
	var err error
	example := "200"
	if kind == DiskReadBytes || kind == DiskWriteBytes {
		example = "1m"
		n, err = units.RAMInBytes(number)
	} else {
		n, err = strconv.ParseInt(number, 10, 64)
	}
	if err != nil || n <= 0 || device == "" {
		return DiskLimit{}, invalid("limit of a disk %q is not of the form DEVICE:VALUE, such as /dev/sda:%s", value, example)
	}
	l := DiskLimit{Device: device, Kind: kind, Value: uint64(n)}
	return l, l.validate()
}

func (l DiskLimit) validate() error {
	if err := cleanPath("device", l.Device); err != nil {
		return err
	}
	switch {
	case diskLimits[l.Kind] == "":
		return invalid("limit %q of disk %s is not known", l.Kind, l.Device)
	case l.Value == 0:
		return invalid("a limit of 0 of disk %s is not possible; leave it out for none", l.Device)
	case l.Kind == DiskWeight && (l.Value < minBlkioWeight || l.Value > maxBlkioWeight):
		return invalid("weight %d of disk %s is not possible; give a number from %d to %d", l.Value, l.Device, minBlkioWeight, maxBlkioWeight)
	}
	return nil
}

func (o *Options) validateDisks() error {
	for i, l := range o.DiskLimits {
		if err := l.validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(o.DiskLimits[:i], func(other DiskLimit) bool { return other.Device == l.Device && other.Kind == l.Kind }) {
			return invalid("two limits %s of disk %s are given; keep one of them", l.Kind, l.Device)
		}
	}
	return nil
}

// changeDisks sets the limits of disks, in the place of those that the spec has of the same.
func (o *Options) changeDisks(spec *object, _ string) error {
	if len(o.DiskLimits) == 0 {
		return nil
	}
	return spec.edit(func(blockIO *object) error {
		for _, l := range o.DiskLimits {
			major, minor, err := findDisk(l.Device)
			if err != nil {
				return fmt.Errorf("device %q: %w", l.Device, err)
			}
			if err := l.change(blockIO, major, minor); err != nil {
				return err
			}
		}
		return nil
	}, "linux", "resources", "blockIO")
}

// change sets the limit of the disk with some numbers.
func (l DiskLimit) change(blockIO *object, major, minor int64) error {
	list := diskLimits[l.Kind]
	if l.Kind == DiskWeight {
		var all []specs.LinuxWeightDevice
		if _, err := blockIO.get(list, &all); err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(d specs.LinuxWeightDevice) bool { return d.Major == major && d.Minor == minor })
		d := specs.LinuxWeightDevice{Weight: new(uint16(l.Value))}
		d.Major, d.Minor = major, minor
		return blockIO.set(list, append(all, d))
	}
	var all []specs.LinuxThrottleDevice
	if _, err := blockIO.get(list, &all); err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(d specs.LinuxThrottleDevice) bool { return d.Major == major && d.Minor == minor })
	d := specs.LinuxThrottleDevice{Rate: l.Value}
	d.Major, d.Minor = major, minor
	return blockIO.set(list, append(all, d))
}

// findDisk returns the numbers of a disk. The kernel limits whole disks, and says no more of a
// partition than that there is no such device.
func findDisk(path string) (major, minor int64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, fmt.Errorf("%w; give a disk of this machine", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0, 0, errors.New("it is no disk; give one of this machine, such as /dev/sda")
	}
	major, minor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	if _, err := os.Stat(fmt.Sprintf("/sys/dev/block/%d:%d/partition", major, minor)); err == nil {
		return 0, 0, errors.New("it is a partition, and only whole disks have limits; give the disk")
	}
	return major, minor, nil
}
