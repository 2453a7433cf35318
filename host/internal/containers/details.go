package containers

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// details returns what a container is run with, or nil if its spec cannot be read.
func (m *Manager) details(r *store.Container, raw json.RawMessage) *api.Details {
	var spec specs.Spec
	if json.Unmarshal(raw, &spec) != nil {
		return nil
	}
	d := &api.Details{Hostname: spec.Hostname, Mounts: spec.Mounts, Limits: ocispec.LimitsOfSpec(&spec)}
	if spec.Root != nil {
		d.Rootfs, d.ReadOnly = spec.Root.Path, spec.Root.Readonly
	}
	if p := spec.Process; p != nil {
		d.User, d.Cwd, d.Env = fmt.Sprintf("%d:%d", p.User.UID, p.User.GID), p.Cwd, p.Env
	}
	if !ended(r) && r.PID > 0 {
		d.Cgroup = cgroupOf(r.PID)
	}
	if r.Attempt > 0 {
		files := m.files(r, r.Ref())
		d.Logs = map[string]string{api.Stdout.String(): files.Stdout}
		if !r.Stdio.Merged && !r.Stdio.Terminal {
			d.Logs[api.Stderr.String()] = files.Stderr
		}
	}
	return d
}

// cgroupOf returns the cgroup of a process, or "" if it is gone.
func cgroupOf(pid int) (group string) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case strings.Contains(","+parts[1]+",", ",memory,"): // of a machine with version 1
			return parts[2]
		case parts[1] == "":
			group = parts[2]
		}
	}
	return group
}
