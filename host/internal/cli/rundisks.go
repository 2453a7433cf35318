package cli

import (
	"github.com/davit-run/davit/host/ocispec"
	"github.com/spf13/pflag"
)

// diskFlags registers the flags of `davit run` for limits of single disks, and for devices
// without files.
func diskFlags(fs *pflag.FlagSet, p *ocispec.Options) {
	for _, limit := range []struct {
		flag, usage string
		kind        ocispec.DiskLimitKind
	}{
		{"blkio-weight-device", "weight on one disk when it is contended, `DEVICE:NUMBER` from 10 to 1000", ocispec.DiskWeight},
		{"device-read-bps", "limit on reading from one disk, `DEVICE:SIZE` a second, such as /dev/sda:1m", ocispec.DiskReadBytes},
		{"device-read-iops", "limit on reading from one disk, `DEVICE:NUMBER` of operations a second", ocispec.DiskReadOps},
		{"device-write-bps", "limit on writing to one disk, `DEVICE:SIZE` a second, such as /dev/sda:1m", ocispec.DiskWriteBytes},
		{"device-write-iops", "limit on writing to one disk, `DEVICE:NUMBER` of operations a second", ocispec.DiskWriteOps},
	} {
		fs.Func(limit.flag, limit.usage, func(s string) error {
			l, err := ocispec.ParseDiskLimit(limit.kind, s)
			p.DiskLimits = append(p.DiskLimits, l)
			return err
		})
	}
	fs.Func("device-cgroup-rule", "`RULE` that allows devices: TYPE MAJOR:MINOR ACCESS, such as 'c 10:* rwm'", func(s string) error {
		p.DeviceRules = append(p.DeviceRules, s)
		return ocispec.CheckDeviceRule(s)
	})
}
