package oci

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// InitErrors says where a container's init would write its last message, and what was
// there before the create. An init that is cut off when it is about to start the
// workload has a message by which it is recognized: see [quirks.InitCutOff]. A create
// that is cut off earlier leaves other messages, a dozen of which were seen.
type InitErrors struct {
	Path string `json:"path,omitempty"`
	Size int64  `json:"size,omitempty"`
}

// NewInitErrors looks at the streams of a task before it is created.
func NewInitErrors(stdout, stderr string) InitErrors {
	path := stderr
	if path == "/dev/null" || path == "" {
		path = stdout // merged
	}
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
		return InitErrors{Path: path, Size: st.Size()}
	}
	return InitErrors{}
}

// Aborted reports whether a task that has exited never ran its workload, as far as its
// output can show that. A workload can print the same. So it may only be asked about a
// task whose start was not answered.
func (e InitErrors) Aborted(code uint32, started, exited time.Time) bool {
	return code == 1 && exited.Sub(started) <= 10*time.Second && e.OnlyInit()
}

// OnlyInit reports whether init's message, and nothing else, was written. It is for tasks
// that are gone, with their exit.
func (e InitErrors) OnlyInit() bool { return quirks.InitCutOff(e.added()) }

// NotExecuted returns the error of a start after which nothing has run but the runtime's
// init, so that all output is its own: what it says of the command, or of a hook.
func (e InitErrors) NotExecuted() error {
	said := strings.TrimSpace(string(e.added()))
	reason, command := strings.CutPrefix(said, "exec ")
	switch {
	case said == "":
		return executor.Errorf(executor.Internal, "the runtime ended before it had executed the command")
	case command && strings.HasSuffix(reason, ": "+unix.ENOENT.Error()):
		return executor.Errorf(executor.CommandNotFound, "%s", said)
	case command:
		return executor.Errorf(executor.CommandNotExecutable, "%s", said)
	}
	return executor.Errorf(executor.Internal, "%s", quirks.Plain(said))
}

// Explain returns the error of a create that failed with what was printed meanwhile. The
// workload did not run, so that it comes from the runtime: most also log it, and then it
// is part of the error already.
func (e InitErrors) Explain(err error) error {
	said := strings.TrimSpace(strings.ToValidUTF8(string(e.added()), "?"))
	_, inner, _ := strings.Cut(said, ": ")
	if said == "" || executor.CodeOf(err) != executor.Internal || strings.Contains(err.Error(), cmp.Or(inner, said)) {
		return err
	}
	return executor.Errorf(executor.Internal, "%w: %s", err, said)
}

// added returns the beginning of what was written since the create.
func (e InitErrors) added() []byte {
	if e.Path == "" {
		return nil
	}
	f, err := linux.Open(e.Path, os.O_RDONLY)
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, 1024)
	n, _ := f.ReadAt(b, e.Size)
	return b[:n]
}

// Remove removes init's message if there is one: the workload that is started in
// the place of the aborted one did not print that.
func (e InitErrors) Remove() error {
	if !e.OnlyInit() {
		return nil
	}
	return os.Truncate(e.Path, e.Size)
}

// Reset removes whatever was written since, by an attempt whose workload is known
// not to have run.
func (e InitErrors) Reset() error {
	if e.Path == "" {
		return nil
	}
	st, err := os.Stat(e.Path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && st.Size() <= e.Size {
		return nil
	}
	return os.Truncate(e.Path, e.Size)
}
