package ocispec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The default limits of open files. The soft one is more than servers need, and few
// enough for programs that close all descriptors one by one. The hard one is that of a
// service of systemd.
const (
	softFiles = 65536
	hardFiles = 524288
)

// ulimits returns the numbers of all resource limits by the names that users know.
func ulimits() map[string]int {
	return map[string]int{
		"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
		"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK, "msgqueue": unix.RLIMIT_MSGQUEUE,
		"nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS,
		"rtprio": unix.RLIMIT_RTPRIO, "rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
	}
}

const ulimitPrefix = "RLIMIT_"

// ulimitName returns the name of a limit, as users know it.
func ulimitName(kind string) string { return strings.ToLower(strings.TrimPrefix(kind, ulimitPrefix)) }

// ParseUlimit parses NAME=SOFT[:HARD], such as nofile=1024:4096. -1 is no limit.
func ParseUlimit(value string) (specs.POSIXRlimit, error) {
	name, limits, ok := strings.Cut(value, "=")
	if !ok {
		return specs.POSIXRlimit{}, invalid("limit %q is not of the form NAME=SOFT[:HARD], such as nofile=1024:4096", value)
	}
	return ParseUlimitOf(name, limits)
}

// ParseUlimitOf parses the SOFT[:HARD] of the limit with a name.
func ParseUlimitOf(name, value string) (specs.POSIXRlimit, error) {
	limit := specs.POSIXRlimit{Type: ulimitPrefix + strings.ToUpper(name)}
	if _, ok := ulimits()[name]; !ok {
		return limit, invalid("limit %q is not known; use one of %s", name, strings.Join(slices.Sorted(maps.Keys(ulimits())), ", "))
	}
	soft, hard, both := strings.Cut(value, ":")
	if !both {
		hard = soft
	}
	var err, herr error
	limit.Soft, err = parseLimit(soft)
	if limit.Hard, herr = parseLimit(hard); err != nil || herr != nil {
		return limit, invalid("limit %s=%s is not of the form NAME=SOFT[:HARD]; each is a number, or -1 for no limit", name, value)
	}
	return limit, validateUlimit(limit)
}

func parseLimit(value string) (uint64, error) {
	if value == "-1" || value == "unlimited" {
		return unix.RLIM_INFINITY, nil
	}
	return strconv.ParseUint(value, 10, 63)
}

// validateUlimit checks a limit without asking the machine.
func validateUlimit(l specs.POSIXRlimit) error {
	name := ulimitName(l.Type)
	if _, ok := ulimits()[name]; !ok || l.Type != ulimitPrefix+strings.ToUpper(name) {
		return invalid("limit %q is not known; the spec's names are such as RLIMIT_NOFILE", l.Type)
	}
	if l.Soft > l.Hard {
		return invalid("limit %s: the soft limit %s is above the hard limit %s", name, formatLimit(l.Soft), formatLimit(l.Hard))
	}
	return nil
}

func formatLimit(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "-1"
	}
	return strconv.FormatUint(n, 10)
}

// defaultUlimits returns the limits of a container that asks for none. Those that decide
// what a program can do are not inherited from whoever started the host: files and
// processes, which are the cgroup's to limit, the stack, and whether a crash leaves a core
// file, which would be in the container's root file system.
func defaultUlimits() []specs.POSIXRlimit {
	return []specs.POSIXRlimit{
		within("nofile", softFiles, hardFiles),
		within("core", 0, unix.RLIM_INFINITY),
		within("nproc", unix.RLIM_INFINITY, unix.RLIM_INFINITY),
		within("stack", 8<<20, unix.RLIM_INFINITY),
	}
}

// within returns a limit. If this process has a lower hard limit it may not be allowed to
// raise it, so the container then has the same.
func within(name string, soft, hard uint64) specs.POSIXRlimit {
	if own, ok := highest(ulimits()[name]); ok {
		hard = min(hard, own)
	}
	return specs.POSIXRlimit{Type: ulimitPrefix + strings.ToUpper(name), Soft: min(soft, hard), Hard: hard}
}

// highest returns the hard limit that this process cannot exceed, if there is one.
func highest(resource int) (uint64, bool) {
	var own unix.Rlimit
	if err := unix.Getrlimit(resource, &own); err != nil || own.Max == unix.RLIM_INFINITY {
		return 0, false
	}
	return own.Max, true
}

// mergeUlimits returns the limits of a spec with some replaced. It refuses those that
// nobody here could set.
func mergeUlimits(limits []json.RawMessage, changes []specs.POSIXRlimit) ([]json.RawMessage, error) {
	for _, l := range changes {
		name := ulimitName(l.Type)
		if most, ok := highest(ulimits()[name]); ok && l.Hard > most && !mayRaiseLimits() {
			return nil, fmt.Errorf("limit %s: the hard limit %s is above that of this machine's host, %d, which it may not raise; give at most that, or raise the host's", name, formatLimit(l.Hard), most)
		}
		limits = slices.DeleteFunc(limits, func(raw json.RawMessage) bool {
			var old specs.POSIXRlimit
			return json.Unmarshal(raw, &old) == nil && old.Type == l.Type
		})
		raw, err := json.Marshal(l)
		if err != nil {
			return nil, err
		}
		limits = append(limits, raw)
	}
	return limits, nil
}
