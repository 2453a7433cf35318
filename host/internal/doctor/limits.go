package doctor

import (
	"context"
	"strconv"
	"strings"
)

var _ = add(70, "limits", lookAtLimits)

// What a host and its containers need. A host has about four descriptors for each container,
// and two more for each client that follows one. systemd and docker allow 65536 tasks.
const (
	wantFiles = 8192
	wantPIDs  = 32768
)

func lookAtLimits(_ context.Context, p *Patient, r *report) {
	dir, whose := p.process()
	text, err := p.read(dir + "/limits")
	if err != nil {
		r.unread("limits of "+whose, err)
	} else if soft, hard, ok := limit(text, "Max open files"); ok {
		// Go raises the soft limit of what it runs to the hard one.
		if most := max(soft, hard); most < wantFiles {
			r.warn("set LimitNOFILE=524288 in the unit, or ulimit -n", "%s may open %d files: enough for some %d containers", whose, most, most/8)
		} else {
			r.ok("%s may open %s files", whose, shown(most))
		}
	}
	pids, err := p.number("/proc/sys/kernel/pid_max")
	switch {
	case err != nil:
		r.unread("pid_max", err)
	case pids < wantPIDs:
		r.warn("set sysctl kernel.pid_max=4194304", "there may be %d processes on this machine", pids)
	default:
		r.ok("there may be %d processes", pids)
	}
	if threads, err := p.number("/proc/sys/kernel/threads-max"); err == nil && threads < wantPIDs/2 {
		r.warn("set sysctl kernel.threads-max, or give the machine more memory", "there may be %d threads on this machine", threads)
	}
	if n, err := p.number("/proc/sys/fs/inotify/max_user_instances"); err == nil && n < 16 {
		r.warn("set sysctl fs.inotify.max_user_instances=128", "a user may have %d inotify instances; the host needs one, containers theirs", n)
	}
}

// endless stands for no limit.
const endless = int64(^uint64(0) >> 1)

// limit returns a limit in the text of /proc/PID/limits.
func limit(text, name string) (soft, hard int64, ok bool) {
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, name)
		fields := strings.Fields(rest)
		if !found || len(fields) < 2 {
			continue
		}
		var values [2]int64
		for i := range values {
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				n = endless
			}
			values[i] = n
		}
		return values[0], values[1], true
	}
	return 0, 0, false
}

// shown returns a limit for people.
func shown(n int64) string {
	if n == endless {
		return "any number of"
	}
	return strconv.FormatInt(n, 10)
}
