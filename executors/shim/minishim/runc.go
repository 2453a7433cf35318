package minishim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
)

// runc calls the OCI runtime of one container.
type runc struct {
	binary  string
	root    string // "" for the runtime's own default
	log     string
	systemd bool
	id      string
}

func newRunc(namespace string, r *taskapi.CreateTaskRequest, o *options.Options) runc {
	c := runc{
		binary: cmp.Or(o.GetBinaryName(), "runc"), log: filepath.Join(r.GetBundle(), "log.json"),
		systemd: o.GetSystemdCgroup(), id: r.GetID(),
	}
	if o.GetRoot() != "" {
		c.root = filepath.Join(o.GetRoot(), namespace)
	}
	return c
}

// call calls the runtime. stdio are its streams, which those of a container that
// it makes will be; nil means none. A runtime that takes longer than ctx is killed.
// The caller holds off the reaper. Errors are in the runtime's words.
func (r runc) call(ctx context.Context, stdio []*os.File, args ...string) error {
	global := []string{"--log", r.log, "--log-format", "json"}
	if r.root != "" {
		global = append(global, "--root", r.root)
	}
	if r.systemd {
		global = append(global, "--systemd-cgroup")
	}
	cmd := exec.CommandContext(ctx, r.binary, append(global, args...)...)
	if stdio != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdio[0], stdio[1], stdio[2]
	}
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if message := r.lastError(); message != "" {
		return fmt.Errorf("%s %s failed: %s", filepath.Base(r.binary), args[0], message)
	}
	return fmt.Errorf("%s %s: %w", r.binary, args[0], err)
}

// lastError gives the last error in the runtime's log.
func (r runc) lastError() (message string) {
	text, err := os.ReadFile(r.log)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "error" {
			message = strings.TrimSpace(entry.Msg)
		}
	}
	return message
}
