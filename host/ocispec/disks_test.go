package ocispec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestParseDiskLimit(t *testing.T) {
	for value, want := range map[string]any{
		"read_bytes /dev/sda:1m":                       ocispec.DiskLimit{Device: "/dev/sda", Kind: ocispec.DiskReadBytes, Value: 1 << 20},
		"write_ops /dev/disk/by-path/pci-0:1:00":       `is not of the form DEVICE:VALUE, such as /dev/sda:200`,
		"write_ops /dev/disk/by-path/pci-0:1:7":        ocispec.DiskLimit{Device: "/dev/disk/by-path/pci-0:1", Kind: ocispec.DiskWriteOps, Value: 7},
		"weight /dev/sda:10":                           ocispec.DiskLimit{Device: "/dev/sda", Kind: ocispec.DiskWeight, Value: 10},
		"weight /dev/sda:9":                            `weight 9 of disk /dev/sda is not possible; give a number from 10 to 1000`,
		"write_bytes sda:1m":                           `device "sda" is not an absolute path`,
		"read_bytes /dev/sda":                          `"/dev/sda" is not of the form DEVICE:VALUE, such as /dev/sda:1m`,
		"read_bytes /dev/sda:-1":                       `"/dev/sda:-1" is not of the form DEVICE:VALUE`,
		"read_ops :5":                                  `":5" is not of the form DEVICE:VALUE`,
		"read_ops /dev/sda:1m":                         `"/dev/sda:1m" is not of the form DEVICE:VALUE, such as /dev/sda:200`,
		"read_ops /dev/sda:99999999999999999999999999": `is not of the form DEVICE:VALUE`,
	} {
		kind, text, _ := strings.Cut(value, " ")
		got, err := ocispec.ParseDiskLimit(ocispec.DiskLimitKind(kind), text)
		if message, ok := want.(string); ok {
			if err == nil || !strings.Contains(err.Error(), message) {
				t.Errorf("%s: got %+v, %v; want the error %q", value, got, err, message)
			}
		} else if err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", value, got, err, want)
		}
	}
}

// findDisks returns a whole disk of this machine and a partition, and their numbers. Each is
// empty if there is none.
func findDisks(t *testing.T) (disk, partition string) {
	t.Helper()
	all, _ := filepath.Glob("/sys/dev/block/*")
	for _, at := range all {
		link, err := os.Readlink(at)
		if err != nil {
			continue
		}
		path := "/dev/" + filepath.Base(link)
		var st unix.Stat_t
		if unix.Stat(path, &st) != nil || fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)) != filepath.Base(at) {
			continue
		}
		if _, err := os.Stat(filepath.Join(at, "partition")); err == nil {
			partition = path
		} else {
			disk = path
		}
	}
	return disk, partition
}

func TestDiskLimits(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	disk, partition := findDisks(t)
	bad := map[string]ocispec.DiskLimit{
		`device "/dev/null": it is no disk`:           {Device: "/dev/null", Kind: ocispec.DiskReadOps, Value: 1},
		`device "/dev/none": no such file`:            {Device: "/dev/none", Kind: ocispec.DiskReadOps, Value: 1},
		`limit "speed" of disk /dev/sda is not known`: {Device: "/dev/sda", Kind: "speed", Value: 1},
		`a limit of 0 of disk /dev/sda`:               {Device: "/dev/sda", Kind: ocispec.DiskReadOps},
	}
	if partition != "" {
		bad["it is a partition, and only whole disks have limits"] = ocispec.DiskLimit{Device: partition, Kind: ocispec.DiskReadOps, Value: 1}
	}
	for want, limit := range bad {
		if _, err := ocispec.FromRootfs(rootfs, ocispec.Options{Args: []string{"x"}, DiskLimits: []ocispec.DiskLimit{limit}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", limit, err, want)
		}
	}
	if disk == "" {
		t.Skip("no disk here")
	}
	o := ocispec.Options{BlkioWeight: 20}
	for i, kind := range []ocispec.DiskLimitKind{ocispec.DiskReadBytes, ocispec.DiskWriteBytes, ocispec.DiskReadOps, ocispec.DiskWriteOps, ocispec.DiskWeight} {
		o.DiskLimits = append(o.DiskLimits, ocispec.DiskLimit{Device: disk, Kind: kind, Value: uint64(10 + i)})
	}
	var st unix.Stat_t
	if err := unix.Stat(disk, &st); err != nil {
		t.Fatal(err)
	}
	rate := func(n uint64) []specs.LinuxThrottleDevice {
		d := specs.LinuxThrottleDevice{Rate: n}
		d.Major, d.Minor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
		return []specs.LinuxThrottleDevice{d}
	}
	weight := specs.LinuxWeightDevice{Weight: new(uint16(14))}
	weight.Major, weight.Minor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	want := specs.LinuxBlockIO{
		Weight: new(uint16(20)), WeightDevice: []specs.LinuxWeightDevice{weight},
		ThrottleReadBpsDevice: rate(10), ThrottleWriteBpsDevice: rate(11), ThrottleReadIOPSDevice: rate(12), ThrottleWriteIOPSDevice: rate(13),
	}
	if got := fromRootfs(t, rootfs, o).Linux.Resources.BlockIO; !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	o.DiskLimits = append(o.DiskLimits, o.DiskLimits[0])
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "two limits read_bytes of disk "+disk) {
		t.Errorf("the same limit twice: got %v", err)
	}
}

func TestDeviceRules(t *testing.T) {
	rootfs := bundle(t, "") + "/rootfs"
	rules := fromRootfs(t, rootfs, ocispec.Options{DeviceRules: []string{"c 10:200 rwm", "b 8:* r", "a *:* m"}}).Linux.Resources.Devices
	want := []specs.LinuxDeviceCgroup{
		{Allow: true, Type: "c", Major: new(int64(10)), Minor: new(int64(200)), Access: "rwm"},
		{Allow: true, Type: "b", Major: new(int64(8)), Access: "r"},
		{Allow: true, Type: "a", Access: "m"},
	}
	if len(rules) < len(want) || !reflect.DeepEqual(rules[len(rules)-len(want):], want) {
		t.Errorf("got %+v", rules)
	}
	for _, bad := range []string{"", "c 1:3", "d 1:3 r", "c 1:3 x", "c 1 r", "c -1:3 r", "c 1:3  r", "ab 1:3 r", "c 1:3:4 r"} {
		if err := (&ocispec.Options{DeviceRules: []string{bad}}).Validate(); err == nil || !strings.Contains(err.Error(), "is not of the form TYPE MAJOR:MINOR ACCESS") {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}
