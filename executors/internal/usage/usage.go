// Package usage measures what the processes of a workload use: from its cgroups where they
// count it, and otherwise process by process.
//
// # Rationale
//
// Why is the shim not asked? Its answer has one form for each version of cgroups and shim,
// takes a call, and comes from the same files.
//
// Why is memory counted without inactive pages of files? A container that has read a large
// file would seem to need as much memory. Docker and containerd's tools count like this.
package usage

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Of measures a workload. Cgroups are the directories of its own, at most one of each
// hierarchy. Processes returns the pids if no cgroup lists them.
func Of(cgroups []string, processes func() []int) executor.Stats {
	s := executor.Stats{At: time.Now()}
	for _, dir := range cgroups {
		fromCgroup(&s, dir)
	}
	if len(s.PIDs) == 0 {
		s.PIDs = processes()
	}
	slices.Sort(s.PIDs)
	fromProcesses(&s)
	return s
}

// fromCgroup sets what a cgroup counts and is not set yet.
func fromCgroup(s *executor.Stats, dir string) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return ""
		}
		return string(b)
	}
	number := func(to **uint64, name string) {
		if *to == nil {
			*to = parse(read(name))
		}
	}
	if len(s.PIDs) == 0 {
		s.PIDs = processesOf(dir)
	}
	if s.CPU == nil {
		s.CPU = duration(parse(field(read("cpu.stat"), "usage_usec")), time.Microsecond)
		if s.CPU == nil {
			s.CPU = duration(parse(read("cpuacct.usage")), time.Nanosecond)
		}
	}
	if s.Memory == nil {
		number(&s.Memory, "memory.current")
		inactive := "inactive_file"
		if s.Memory == nil {
			number(&s.Memory, "memory.usage_in_bytes")
			inactive = "total_inactive_file"
		}
		if s.Memory != nil {
			s.MemoryUsage = new(*s.Memory)
			if pages := parse(field(read("memory.stat"), inactive)); pages != nil {
				*s.Memory -= min(*s.Memory, *pages)
			}
		}
	}
	number(&s.MemoryLimit, "memory.max")
	number(&s.MemoryLimit, "memory.limit_in_bytes")
	if s.MemoryLimit != nil && *s.MemoryLimit >= noLimit {
		s.MemoryLimit = nil
	}
	number(&s.Tasks, "pids.current")
	number(&s.TasksLimit, "pids.max")
	if s.BlockRead == nil {
		s.BlockRead, s.BlockWritten = blocks(read("io.stat"), "rbytes=", "wbytes=")
	}
	for _, name := range []string{"blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"} {
		if s.BlockRead == nil {
			s.BlockRead, s.BlockWritten = blocks(read(name), "Read ", "Write ")
		}
	}
}

// noLimit is more than any limit: version 1 says the largest number of pages where there is
// none, in bytes.
const noLimit = 1 << 62

// parse parses a number. It returns nil for anything else, such as "max".
func parse(text string) *uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// duration returns n units of time, or nil if n is nil or too large.
func duration(n *uint64, unit time.Duration) *time.Duration {
	if n == nil || *n > uint64(math.MaxInt64/unit) {
		return nil
	}
	return new(time.Duration(*n) * unit)
}

// field returns the value in the line "NAME VALUE", or "".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, _ := strings.Cut(line, " "); key == name {
			return value
		}
	}
	return ""
}

// blocks sums what was read and written on all devices: the numbers after two words. It
// returns nil if there is no text.
func blocks(text, read, write string) (r, w *uint64) {
	if text == "" {
		return nil, nil
	}
	r, w = new(uint64), new(uint64)
	for line := range strings.Lines(text) {
		for word, sum := range map[string]*uint64{read: r, write: w} {
			if _, rest, ok := strings.Cut(line, word); ok {
				value, _, _ := strings.Cut(rest, " ")
				if n := parse(value); n != nil {
					*sum += *n
				}
			}
		}
	}
	return r, w
}

// processesOf returns the processes in a cgroup and those below it.
func processesOf(dir string) (pids []int) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil //nolint:nilerr // it was removed meanwhile
		}
		b, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for line := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(line); err == nil && pid > 0 { // 0: of another PID namespace
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}
