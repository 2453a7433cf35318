package linux

import (
	"bufio"
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Shrink gives back the memory that the start of the program has taken and that is not needed
// any more: of 18 MB, 5 stay in a holder of ports. Most of it is the program's file, of which the Go runtime reads
// a lot as it starts. What is needed again is read from there.
func Shrink() {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range parseSmaps(text) {
		if m.clean() {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
		}
	}
}

// mapping is a part of the memory of a process.
type mapping struct {
	start, end  uintptr
	permissions string
	file        string
	changed     bool // it has pages that are not as in the file
}

// clean reports whether nothing is lost with a mapping: it is of a file, and as that is.
func (m mapping) clean() bool {
	return strings.HasPrefix(m.file, "/") && strings.HasPrefix(m.permissions, "r-") && strings.HasSuffix(m.permissions, "p") && !m.changed
}

// parseSmaps reads /proc/PID/smaps.
func parseSmaps(text []byte) (all []mapping) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) >= 5 && strings.Contains(f[0], "-") && !strings.HasSuffix(f[0], ":") {
			// 00400000-00f4f000 r-xp 00000000 fe:00 10023097   /usr/libexec/davit/davit-host
			from, to, _ := strings.Cut(f[0], "-")
			start, err := strconv.ParseUint(from, 16, 64)
			end, err2 := strconv.ParseUint(to, 16, 64)
			m := mapping{start: uintptr(start), end: uintptr(end), permissions: f[1], changed: err != nil || err2 != nil || end <= start}
			if len(f) > 5 {
				m.file = f[5]
			}
			all = append(all, m)
			continue
		}
		if len(all) > 0 && len(f) >= 2 && (f[0] == "Anonymous:" || f[0] == "Swap:") && f[1] != "0" {
			all[len(all)-1].changed = true
		}
	}
	return all
}
