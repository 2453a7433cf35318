package host

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/linux"
)

// Processes returns the processes of a container, in the order of their pids. The error
// for a container that does not run is [executor.FailedPrecondition]. It needs a host in
// the PID namespace of the executor: what it does not see is left out.
func (h *Host) Processes(ctx context.Context, reference string) ([]api.Process, error) {
	stats, err := h.Stats(ctx, reference)
	if err != nil {
		return nil, err
	}
	list := []api.Process{}
	for _, pid := range stats.PIDs {
		if p, ok := processOf(pid); ok {
			list = append(list, p)
		}
	}
	return list, nil
}

// maxCommand is how much is read of a command line, in bytes. Those that are longer are
// cut.
const maxCommand = 16 << 10

// processOf describes a process. ok is false if there is none any more.
func processOf(pid int) (p api.Process, ok bool) {
	dir := fmt.Sprintf("/proc/%d", pid)
	info, err := os.Stat(dir)
	if err != nil {
		return p, false
	}
	st, err := linux.StatOf(pid)
	if err != nil {
		return p, false
	}
	p = api.Process{PID: pid, Parent: st.Parent, Name: st.Name, State: string(st.State), Threads: st.Threads, CPU: st.CPU}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		p.UID = owner.Uid
	}
	if f, err := os.Open(dir + "/cmdline"); err == nil {
		b := make([]byte, maxCommand)
		n, _ := f.Read(b)
		_ = f.Close()
		if text := bytes.TrimRight(b[:n], "\x00"); len(text) > 0 { // a zombie has none
			p.Command = strings.Split(strings.ToValidUTF8(string(text), "�"), "\x00")
		}
	}
	return p, true
}
