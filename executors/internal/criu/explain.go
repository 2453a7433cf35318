package criu

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// The names of CRIU's logs.
const (
	dumpLog    = "dump.log"
	restoreLog = "restore.log"
)

// maxLog is how much of the beginning and of the end of a log is read, in bytes.
const maxLog = 4 << 20

// readLog returns a log, without its middle if it is long.
func readLog(work, name string) ([]byte, error) {
	f, err := linux.Open(filepath.Join(work, name), os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxLog))
	if rest := max(maxLog, info.Size()-maxLog); err == nil && rest < info.Size() {
		var end []byte
		end, err = io.ReadAll(io.NewSectionReader(f, rest, maxLog))
		text = append(text, end...)
	}
	return text, err
}

// errorLine is an error in CRIU's log: (00.003142) Error (criu/vdso.c:657): what it is.
var errorLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:\([0-9.]+\) +)?(?: *[0-9]+: )?Error \(([^()]*)\): (.*)$`)
})

// firstError returns the first error in a log, empty if there is none.
func firstError(work, name string) string {
	log, _ := readLog(work, name)
	for line := range bytes.Lines(log) {
		if m := errorLine().FindSubmatch(bytes.TrimSpace(line)); m != nil {
			return strings.ToValidUTF8(string(m[2])+" ("+string(m[1])+")", "?")
		}
	}
	return ""
}

// ExplainDump explains why a runtime has not made a checkpoint. work is where CRIU has its
// logs, and path where the runtime looks for programs.
func ExplainDump(err error, work, path string) error {
	return explain(err, work, dumpLog, path, "checkpoint")
}

// ExplainRestore explains why a runtime has not restored a checkpoint.
func ExplainRestore(err error, work, path string) error {
	return explain(err, work, restoreLog, path, "restore")
}

func explain(err error, work, log, path, what string) error {
	err = oci.Fault(err)
	switch executor.CodeOf(err) {
	case executor.Internal:
	default:
		return err
	}
	if reason := firstError(work, log); reason != "" {
		return executor.Errorf(executor.FailedPrecondition, "CRIU cannot %s it: %s", what, reason)
	}
	if _, missing := runtimes.LookPath("criu", path); missing != nil && strings.Contains(strings.ToLower(err.Error()), "criu") {
		return executor.Errorf(executor.FailedPrecondition, "the runtime needs the program criu to %s a container, and there is none on its PATH; install it (Debian and others: package criu)", what)
	}
	return executor.Errorf(executor.FailedPrecondition, "the runtime cannot %s it: %w", what, err)
}
