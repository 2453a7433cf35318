package ocispec

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Bounds of limits, which are the kernel's.
const (
	minCPUShares   = 2
	maxCPUShares   = 1 << 18
	minBlkioWeight = 10
	maxBlkioWeight = 1000
)

func (o *Options) validateLimits() error {
	switch {
	case o.CPUShares != 0 && (o.CPUShares < minCPUShares || o.CPUShares > maxCPUShares):
		return invalid("%d CPU shares are not possible; give a number from %d to %d; 1024 is usual", o.CPUShares, minCPUShares, maxCPUShares)
	case o.BlkioWeight != 0 && (o.BlkioWeight < minBlkioWeight || o.BlkioWeight > maxBlkioWeight):
		return invalid("block I/O weight %d is not possible; give a number from %d to %d", o.BlkioWeight, minBlkioWeight, maxBlkioWeight)
	case o.MemoryReservation < 0, o.ShmBytes < 0:
		return invalid("a size below 0 is not possible")
	case o.MemorySwap < -1:
		return invalid("limit of %d bytes of memory and swap is not possible; give a size, or -1 for no limit", o.MemorySwap)
	case o.MemoryBytes != 0 && o.MemoryReservation > o.MemoryBytes:
		return invalid("memory reservation of %d bytes is above the memory limit of %d bytes", o.MemoryReservation, o.MemoryBytes)
	}
	for what, list := range map[string]string{"CPUs": o.CPUSet, "memory nodes": o.MemSet} {
		if _, err := parseSet(what, list); list != "" && err != nil {
			return err
		}
	}
	return nil
}

// changeLimits sets the limits that are not set with the common ones.
func (o *Options) changeLimits(spec *object, _ string) error {
	memory, cpu, resources := patch{}, patch{}, patch{}
	if o.MemorySwap != 0 {
		memory["swap"] = o.MemorySwap
	}
	if o.MemoryReservation != 0 {
		memory["reservation"] = o.MemoryReservation
	}
	if o.CPUShares != 0 {
		cpu["shares"] = o.CPUShares
	}
	for name, set := range map[string]struct{ what, list, online string }{
		"cpus": {"CPUs", o.CPUSet, "/sys/devices/system/cpu/online"},
		"mems": {"memory nodes", o.MemSet, "/sys/devices/system/node/online"},
	} {
		if set.list == "" {
			continue
		}
		if err := checkOnline(set.what, set.list, set.online); err != nil {
			return err
		}
		cpu[name] = set.list
	}
	if o.BlkioWeight != 0 {
		resources["blockIO"] = patch{"weight": o.BlkioWeight}
	}
	resources["memory"], resources["cpu"] = memory, cpu
	return spec.merge(patch{"linux": patch{"resources": resources}})
}

// parseSet parses a list such as 0-2,7 and returns its members.
func parseSet(what, list string) (map[int]bool, error) {
	const most = 1 << 13 // as many CPUs as Linux can have
	set := map[int]bool{}
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 31)
		last, lerr := strconv.ParseUint(to, 10, 31)
		if err != nil || lerr != nil || last < first || last >= most {
			return nil, invalid("%s %q is not a list of numbers such as 0,1 or 0-3", what, list)
		}
		for n := first; n <= last; n++ {
			set[int(n)] = true
		}
	}
	return set, nil
}

// checkOnline refuses a set with members that the machine does not have. The kernel's own
// error names none.
func checkOnline(what, list, file string) error {
	asked, err := parseSet(what, list)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil //nolint:nilerr // a kernel without it decides by itself
	}
	online, err := parseSet(what, string(text))
	if err != nil {
		return nil //nolint:nilerr // likewise
	}
	for n := range asked {
		if !online[n] {
			return fmt.Errorf("%s %q: the machine has %s", what, list, strings.TrimSpace(string(text)))
		}
	}
	return nil
}
