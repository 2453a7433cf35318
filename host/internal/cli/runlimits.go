package cli

import (
	"errors"
	"strconv"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/docker/go-units"
	"github.com/spf13/pflag"
)

// limitFlags registers the flags for limits.
func limitFlags(fs *pflag.FlagSet, p *ocispec.Options) {
	fs.FuncP("memory", "m", "memory limit, a `SIZE` such as 64m; 0 is none", func(s string) (err error) {
		if p.MemoryBytes = 0; s != "0" {
			p.MemoryBytes, err = ocispec.ParseMemory(s)
		}
		return err
	})
	fs.Func("cpus", "CPU limit, a `NUMBER` such as 1.5; 0 is none", func(s string) (err error) {
		if p.CPUs = 0; s != "0" {
			p.CPUs, err = ocispec.ParseCPUs(s)
		}
		return err
	})
	fs.Func("pids-limit", "limit on processes and threads, a `NUMBER`; 0 and -1 are none", func(s string) (err error) {
		p.PidsLimit, err = parsePidsLimit(s)
		return err
	})
	fs.Func("memory-swap", "limit on memory and swap together, a `SIZE`; -1 is none", func(s string) (err error) {
		if p.MemorySwap = -1; s != "-1" {
			p.MemorySwap, err = parseBytes(s)
		}
		return err
	})
	sizeFlag(fs, &p.MemoryReservation, "memory-reservation", "`SIZE` that it keeps when the machine has little memory")
	fs.FuncP("cpu-shares", "c", "weight when CPUs are contended, a `NUMBER`; 1024 is usual", func(s string) (err error) {
		p.CPUShares, err = strconv.ParseUint(s, 10, 64)
		if err != nil || p.CPUShares == 0 {
			err = errors.New("give a number such as 512")
		}
		return err
	})
	fs.Var((*filled)(&p.CPUSet), "cpuset-cpus", "`LIST` of the CPUs that it may use, such as 0-2,7")
	fs.Var((*filled)(&p.MemSet), "cpuset-mems", "`LIST` of the memory nodes that it may use")
	fs.Func("blkio-weight", "weight when disks are contended, a `NUMBER` from 10 to 1000", func(s string) error {
		n, err := strconv.ParseUint(s, 10, 16)
		p.BlkioWeight = uint16(n)
		if err != nil || n == 0 {
			err = errors.New("give a number from 10 to 1000")
		}
		return err
	})
}

// sizeFlag registers a flag for a size in bytes.
func sizeFlag(fs *pflag.FlagSet, to *int64, name, usage string) {
	fs.Func(name, usage, func(s string) (err error) {
		*to, err = parseBytes(s)
		return err
	})
}

// parseBytes parses a size, in powers of 1024.
func parseBytes(s string) (int64, error) {
	n, err := units.RAMInBytes(s)
	if err != nil || n <= 0 {
		return 0, errors.New("give a size such as 64m")
	}
	return n, nil
}
