package usage

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// fromProcesses sets what no cgroup counts, from what each process has used. Processes that
// have ended count where somebody has waited for them.
func fromProcesses(s *executor.Stats) {
	if s.CPU != nil && s.Memory != nil && s.Tasks != nil && s.BlockRead != nil {
		return
	}
	var sum process
	for _, pid := range s.PIDs {
		p := processOf(pid)
		sum.cpu += p.cpu
		sum.memory += p.memory
		sum.threads += p.threads
		sum.read += p.read
		sum.written += p.written
	}
	if s.CPU == nil {
		s.CPU = &sum.cpu
	}
	if s.Memory == nil {
		s.Memory = &sum.memory
	}
	if s.Tasks == nil {
		s.Tasks = &sum.threads
	}
	if s.BlockRead == nil {
		s.BlockRead, s.BlockWritten = &sum.read, &sum.written
	}
}

// process is what one process uses.
type process struct {
	cpu                            time.Duration
	memory, threads, read, written uint64
}

// processOf reads what a process uses; one that has ended uses nothing.
func processOf(pid int) (p process) {
	read := func(name string) string {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		return string(b)
	}
	if st, err := linux.StatOf(pid); err == nil {
		p.cpu, p.threads = st.CPU, st.Threads
	}
	pages := strings.Fields(read("statm"))
	if len(pages) > 2 {
		if resident, shared := parse(pages[1]), parse(pages[2]); resident != nil && shared != nil {
			p.memory = (*resident - min(*resident, *shared)) * uint64(os.Getpagesize())
		}
	}
	for line := range strings.Lines(read("io")) {
		name, value, _ := strings.Cut(line, ":")
		n := parse(value)
		switch {
		case n == nil:
		case name == "read_bytes":
			p.read = *n
		case name == "write_bytes":
			p.written = *n
		}
	}
	return p
}
