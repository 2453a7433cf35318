package api

import (
	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Details are what a container is run with, as its OCI spec has it, and where its files are.
type Details struct {
	// Rootfs is the directory of the root file system. It is empty if the container was made
	// from an image and does not run.
	Rootfs   string `json:"rootfs,omitempty"`
	ReadOnly bool   `json:"read_only,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	// User is UID:GID.
	User string   `json:"user,omitempty"`
	Cwd  string   `json:"cwd,omitempty"`
	Env  []string `json:"env,omitempty"`
	// Mounts are all mounts, those of volumes and of the kernel's file systems among them.
	Mounts []specs.Mount  `json:"mounts,omitempty"`
	Limits ocispec.Limits `json:"limits,omitzero"`
	// Cgroup is the cgroup of the first process, as the kernel names it in the hierarchy of
	// version 2, or else in that of memory. It is empty while none runs.
	Cgroup string `json:"cgroup,omitempty"`
	// Logs are the files with the output of the present attempt, by stream.
	Logs map[string]string `json:"logs,omitempty"`
}
