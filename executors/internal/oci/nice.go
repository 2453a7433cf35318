package oci

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ResetNice gives a task that is created and not started the nice value 0, as far as this
// process may: it has inherited that of whoever started the host. In a container that one
// would be everybody's lowest, and which one it is should not depend on that.
//
// The nice value is one of each thread, and any of those of runc's init may become the
// container's first process.
func ResetNice(pid int) {
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range threads {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, tid, 0)
		}
	}
}
