package linux

import (
	"errors"
	"os"
	"strconv"
)

// PIDs returns the pids of all processes.
func PIDs() ([]int, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// FindProcesses returns the processes, other than this one, that match. It calls
// match twice for each, the second time when the pid can no longer change its
// meaning. The caller closes them.
func FindProcesses(match func(pid int) bool) ([]*Process, error) {
	pids, err := PIDs()
	var found []*Process
	for _, pid := range pids {
		if pid == os.Getpid() || !match(pid) {
			continue
		}
		p, err := OpenProcess(pid, func() error {
			if !match(pid) {
				return errors.New("it was another process")
			}
			return nil
		})
		if err == nil { // else it has ended meanwhile
			found = append(found, p)
		}
	}
	return found, err
}
