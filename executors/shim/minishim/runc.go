package minishim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// runc calls the OCI runtime of one container.
type runc struct {
	reaper  *reaper
	binary  string
	root    string // "" for the runtime's own default
	log     string
	systemd bool
}

func newRunc(namespace string, reaper *reaper, r *taskapi.CreateTaskRequest, o *options.Options) runc {
	c := runc{
		reaper: reaper, binary: cmp.Or(o.GetBinaryName(), "runc"),
		log: filepath.Join(r.GetBundle(), "log.json"), systemd: o.GetSystemdCgroup(),
	}
	if o.GetRoot() != "" {
		c.root = filepath.Join(o.GetRoot(), namespace)
	}
	return c
}

// call calls the runtime. stdio are its streams, which a process that it creates
// inherits; nil means none. A runtime that takes longer than ctx is killed. Errors
// have the runtime's own message.
func (r runc) call(ctx context.Context, stdio []*os.File, args ...string) error {
	global := []string{"--log", r.log, "--log-format", "json"}
	if r.root != "" {
		global = append(global, "--root", r.root)
	}
	if r.systemd {
		global = append(global, "--systemd-cgroup")
	}
	cmd := exec.Command(r.binary, append(global, args...)...)
	if stdio != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdio[0], stdio[1], stdio[2]
	}
	var logged int64
	if info, err := os.Stat(r.log); err == nil {
		logged = info.Size()
	}
	err := r.run(ctx, cmd)
	if err == nil {
		return nil
	}
	if message := r.lastError(logged); message != "" {
		return fmt.Errorf("%s %s failed: %s", filepath.Base(r.binary), args[0], message)
	}
	return fmt.Errorf("%s %s: %w", r.binary, args[0], err)
}

// run runs a command to its end, and kills it when ctx ends.
func (r runc) run(ctx context.Context, cmd *exec.Cmd) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ended, err := r.reaper.start(cmd)
	if err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Release() }()
	var ws unix.WaitStatus
	select {
	case ws = <-ended:
	case <-ctx.Done():
		_ = r.reaper.signal(cmd.Process.Pid, unix.SIGKILL)
		<-ended
		return ctx.Err()
	}
	switch {
	case ws.Signaled():
		return fmt.Errorf("killed by %v", ws.Signal())
	case ws.ExitStatus() != 0:
		return fmt.Errorf("exit status %d", ws.ExitStatus())
	}
	return nil
}

// output calls the runtime and returns what it prints.
func (r runc) output(ctx context.Context, args ...string) ([]byte, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text, err := linux.ReadAll(out, maxFile)
		_, _ = io.Copy(io.Discard, out) // or the runtime would wait for ever
		read <- answer{text, err}
	}()
	err = r.call(ctx, []*os.File{null, w, null}, args...)
	a := answer{err: w.Close()}
	if err == nil {
		a = <-read
	}
	return a.text, errors.Join(err, a.err)
}

const (
	// maxFile bounds a file or an answer of the runtime, in bytes.
	maxFile = 16 << 20
	// maxLogged is how much of the end of the runtime's log is read, in bytes.
	maxLogged = 1 << 20
)

// lastError returns the last error that the runtime has logged after an offset.
func (r runc) lastError(logged int64) (message string) {
	f, err := linux.Open(r.log, os.O_RDONLY)
	if err != nil {
		return ""
	}
	defer f.Close()
	// Hooks can make the runtime log as much as they like; the error that counts is last.
	if info, err := f.Stat(); err == nil {
		logged = max(logged, info.Size()-maxLogged)
	}
	text, _ := io.ReadAll(io.NewSectionReader(f, logged, maxLogged))
	for line := range bytes.Lines(text) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "error" {
			message = strings.TrimSpace(entry.Msg)
		}
	}
	return message
}
