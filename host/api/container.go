package api

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
)

// ContainerOptions say what to run. One of Image, Bundle and Rootfs is required.
type ContainerOptions struct {
	// Name is unique among the host's containers; empty means that there is none.
	// See [ocispec.ValidateName].
	Name string `json:"name,omitempty"`
	// RequestID, if set, makes Create idempotent: a second Create with the same id
	// returns the container that the first one made, whatever became of it.
	RequestID string `json:"request_id,omitempty"`
	// Backend and Runtime are names. Empty means the default of the host and of the
	// backend.
	Backend string `json:"backend,omitempty"`
	Runtime string `json:"runtime,omitempty"`
	// Image is the image to run: a name, an id or the beginning of one. The container has a
	// writable layer of its own over it. What Process and the other options leave open is
	// as the image says.
	Image string `json:"image,omitempty"`
	// ImageStore is where the image is: [ImageStoreHost], or [ImageStoreBackend] for one that
	// the backend has and the host has not, which then makes the root file system as well.
	// Empty means as the config says of the backend.
	ImageStore string `json:"image_store,omitempty"`
	// Entrypoint replaces that of the image. The image's command is then not used.
	Entrypoint []string `json:"entrypoint,omitempty"`
	// Bundle is an OCI bundle: a directory with config.json and a root file system.
	// Process overrides what config.json sets.
	Bundle string `json:"bundle,omitempty"`
	// Rootfs is a directory with a root file system. A relative path of it or of Bundle is
	// relative to the working directory of the program, and is not allowed over HTTP. What the container writes stays in it,
	// unless RootfsOverlay gives the container a writable layer of its own over it, which is
	// kept over restarts and removed with the container. Nobody may change the directory
	// then, for as long as there are such containers.
	Rootfs        string          `json:"rootfs,omitempty"`
	RootfsOverlay bool            `json:"rootfs_overlay,omitempty"`
	Process       ocispec.Options `json:"process,omitzero"`
	// VolumesFrom are containers, each NAME or NAME:ro, whose volumes and bind mounts it has,
	// too, but where Process has a mount.
	VolumesFrom []string `json:"volumes_from,omitempty"`
	// Network is the network: none, with a loopback of its own and nothing else; host, the
	// machine's; user, what a program (pasta or slirp4netns) reaches for it; the name of one; or
	// container:NAME, the network namespace of another container, with its /etc/hosts,
	// resolv.conf and host name, for as long as one of the two is there. Empty means what the
	// config says, or the bundle. IP is the address that it is to have, and IP6 that of IPv6;
	// empty means a free one. MACAddress is that of its link there; empty means one that belongs
	// to its address. All last over restarts.
	Network    string `json:"network,omitempty"`
	IP         string `json:"ip,omitempty"`
	IP6        string `json:"ip6,omitempty"`
	MACAddress string `json:"mac_address,omitempty"`
	// NetworkAliases are names that the others of its network find it by, beside its own.
	NetworkAliases []string `json:"network_aliases,omitempty"`
	// AddHosts are lines of its /etc/hosts, each NAME:ADDRESS. The address host-gateway is this
	// machine's on its network.
	AddHosts []string `json:"add_hosts,omitempty"`
	// DNS are the addresses of its name servers, and DNSSearch the domains in which they are
	// asked for short names. Empty means those of the machine.
	DNS       []string `json:"dns,omitempty"`
	DNSSearch []string `json:"dns_search,omitempty"`
	// Publish are the ports that are published on the machine; see [publish.Parse].
	// PublishAll adds the ports that the image exposes, each on a port that is free. A
	// container that publishes and leaves Network open is on [DefaultNetwork], unless the
	// config names another.
	Publish    []publish.Port `json:"publish,omitempty"`
	PublishAll bool           `json:"publish_all,omitempty"`
	// NoStart makes the container without starting it.
	NoStart bool `json:"no_start,omitempty"`
	// Stdin gives the container an input, which stays open until a client ends it; otherwise
	// it is empty. KeepInput leaves it open whatever clients do.
	Stdin     bool `json:"stdin,omitempty"`
	KeepInput bool `json:"keep_input,omitempty"`
	// Terminal gives the container a terminal, of the size Process.ConsoleSize if that is
	// set. Its output is one stream.
	Terminal bool `json:"terminal,omitempty"`
	// MergeOutput writes stdout and stderr to one file; see executor.Stdio.
	MergeOutput bool `json:"merge_output,omitempty"`
	// OutputMax is how much of each output stream is kept, in bytes. 0 means the host's
	// default, -1 no limit. See config.Output.
	OutputMax int64 `json:"output_max,omitempty"`
	// AutoRemove removes the container once it has ended.
	AutoRemove bool `json:"auto_remove,omitempty"`
	// Labels have at most 64 KiB in all.
	Labels map[string]string `json:"labels,omitempty"`
	// StopSignal is the signal that Stop sends; 0 means SIGTERM. StopTimeout is how long
	// Stop waits before it kills; nil means DefaultStopTimeout, and less than 0 for ever.
	StopSignal  executor.Signal `json:"stop_signal,omitempty"`
	StopTimeout *time.Duration  `json:"stop_timeout,omitempty"`
	// StartTimeout is how long a start may take, its hooks included. One that takes longer
	// fails and is undone, once. 0 means the backend's default.
	StartTimeout time.Duration `json:"start_timeout,omitempty"`
	// Restart is the restart policy, such as RestartAlways. RestartOnFailure may be
	// followed by the most restarts, as in "on-failure:3". A container with a policy
	// cannot have AutoRemove.
	Restart string `json:"restart,omitempty"`
	// HealthCheck says how it is found out whether the container does its work; nil means
	// as its image says.
	HealthCheck *HealthCheck `json:"health_check,omitempty"`
}

// Validate checks what can be checked before anything is read or made.
func (o *ContainerOptions) Validate() error {
	if err := checkText(o); err != nil {
		return err
	}
	switch {
	case o.Image != "" && (o.Bundle != "" || o.Rootfs != ""):
		return invalid("both an image (%q) and a bundle or root file system (%q) are given; use one", o.Image, o.Bundle+o.Rootfs)
	case o.RootfsOverlay && o.Rootfs == "":
		return invalid("a layer over a root file system is asked for, and no root file system is given; images have such a layer anyway, and bundles cannot have one")
	case o.ImageStore != "" && o.ImageStore != ImageStoreHost && o.ImageStore != ImageStoreBackend:
		return invalid("there is no image store %q; use %s or %s", o.ImageStore, ImageStoreHost, ImageStoreBackend)
	case o.Image == "" && o.ImageStore != "":
		return invalid("the image store %s is asked for, and no image is given", o.ImageStore)
	case o.Image == "" && len(o.Entrypoint) > 0:
		return invalid("an entrypoint is given, and no image; put it before the command")
	case o.Image == "" && o.PublishAll:
		return invalid("all ports that the image exposes are to be published, and no image is given; name the ports")
	}
	if err := publish.Check(o.Publish); err != nil {
		return err
	}
	if err := o.checkJoin(); err != nil {
		return err
	}
	if o.StopSignal != 0 {
		if err := checkSignal(o.StopSignal); err != nil {
			return fmt.Errorf("stop signal: %w", err)
		}
	}
	if o.HealthCheck != nil {
		return o.HealthCheck.Validate()
	}
	return nil
}

// Values of ImageStore.
const (
	// ImageStoreHost is the host's own store, from which all backends can run images.
	ImageStoreHost = "host"
	// ImageStoreBackend is that of the container's backend.
	ImageStoreBackend = "backend"
)

const (
	// DefaultStopTimeout is the same as Docker's.
	DefaultStopTimeout = 10 * time.Second
	// OwnStopTimeout, as the timeout of Stop or Drain, is that of each container.
	OwnStopTimeout time.Duration = math.MinInt64
)

// State is the state of a container as users see it.
type State string

const (
	// StateCreated means that it was made with NoStart, and not started since.
	StateCreated  State = "created"
	StateCreating State = "creating"
	StateRunning  State = "running"
	StatePaused   State = "paused"
	// StateExiting means that the first process has ended, and that the output is not
	// complete yet.
	StateExiting State = "exiting"
	StateExited  State = "exited"
	// StateRestarting means that it has ended, and that its restart policy will start it
	// again.
	StateRestarting State = "restarting"
	// StateUnknown means that it had not ended when somebody last looked, and that nobody
	// looks now. Error says why. It most likely runs on.
	StateUnknown State = "unknown"
	// StateFailed means that it could not be started. Error says why.
	StateFailed State = "failed"
)

// Container is a snapshot of a container.
type Container struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Backend string `json:"backend"`
	Runtime string `json:"runtime,omitempty"`
	// Image is the image that the container was made from, as it was asked for, and ImageID
	// the id that it had. They are empty if it was made from no image.
	Image   string `json:"image,omitempty"`
	ImageID string `json:"image_id,omitempty"`
	// ImageStore is ImageStoreBackend if the backend has the image and the root file system,
	// and else empty.
	ImageStore string `json:"image_store,omitempty"`
	// Command is the beginning of a command of more than 4 KiB.
	Command []string `json:"command,omitempty"`
	State   State    `json:"state"`
	// Attempt counts the starts, from 1; 0 before the first.
	Attempt    int       `json:"attempt"`
	PID        int       `json:"pid,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	Exit       *End      `json:"exit,omitempty"`
	// RestoredFrom is the checkpoint from which the attempt went on, and Checkpointed the one
	// by which it has ended.
	RestoredFrom string            `json:"restored_from,omitempty"`
	Checkpointed string            `json:"checkpointed,omitempty"`
	Error        string            `json:"error,omitempty"`
	AutoRemove   bool              `json:"auto_remove,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	// Owner is the number of the user who made it over the API's socket; nil if that is not
	// known. Rules let others do less with it.
	Owner *int `json:"owner,omitempty"`
	// Volumes are the volumes that it has.
	Volumes []MountedVolume `json:"volumes,omitempty"`
	// Network is the network as it was asked for; empty if a bundle decides. Addresses are
	// those that the container has, whether it runs or not, until it is removed.
	Network   string    `json:"network,omitempty"`
	Addresses []Address `json:"addresses,omitempty"`
	// NetworkAliases are the aliases on the network with which it was made.
	NetworkAliases []string `json:"network_aliases,omitempty"`
	// Publish are the ports that it publishes, as they were asked for, and Ports those on
	// which they are now, in the same order. There are none while it does not run.
	Publish []publish.Port `json:"publish,omitempty"`
	Ports   []publish.Port `json:"ports,omitempty"`
	// PIDMode and IPCMode say whose processes and shared memory it has: private or empty, host,
	// that of another as container:ID, and shareable or none for shared memory.
	PIDMode string `json:"pid_mode,omitempty"`
	IPCMode string `json:"ipc_mode,omitempty"`
	// Stdin and Terminal say whether it has an input and a terminal.
	Stdin    bool `json:"stdin,omitempty"`
	Terminal bool `json:"terminal,omitempty"`
	// OutputLost describes output that could not be written, most likely because the
	// disk was full, by the name of the stream.
	OutputLost map[string]executor.Loss `json:"output_lost,omitempty"`
	// Output describes how much output was written and dropped, by the name of the
	// stream. Only Inspect sets it.
	Output map[string]OutputUsage `json:"output,omitempty"`
	// Restart is the restart policy. Restarts is how often the policy has started the
	// container since a user did, and RestartAt when it does so next.
	Restart   string    `json:"restart,omitempty"`
	Restarts  int       `json:"restarts,omitempty"`
	RestartAt time.Time `json:"restart_at,omitzero"`
	// HealthCheck is how it is checked; nil if it is not. Health is what was found out of
	// one that runs.
	HealthCheck *HealthCheck `json:"health_check,omitempty"`
	Health      *Health      `json:"health,omitempty"`
	// Details are what it is run with. Only Inspect sets them.
	Details *Details `json:"details,omitempty"`
}

// OwnedBy reports whether a user has made the container. One of which nobody knows who made it
// is owned by none.
func (c *Container) OwnedBy(uid int) bool { return c.Owner != nil && *c.Owner == uid }

// MountedVolume is a volume that a container has.
type MountedVolume struct {
	Name string `json:"name"`
	// Source is the path of its files on the host's machine, and Target that in the
	// container.
	Source    string `json:"source"`
	Target    string `json:"target"`
	ReadOnly  bool   `json:"read_only,omitempty"`
	Anonymous bool   `json:"anonymous,omitempty"`
}

// Address is an address of a container on a network.
type Address struct {
	Network string     `json:"network"`
	IP      netip.Addr `json:"ip"`
	// MAC is that of its link there.
	MAC string `json:"mac,omitempty"`
	// IP6 is that of IPv6, and not valid if the network has none.
	IP6 netip.Addr `json:"ip6,omitzero"`
	// Aliases are names that the others of the network find it by, beside its own.
	Aliases []string `json:"aliases,omitempty"`
}

// OutputUsage describes how much of a stream of output was written and dropped.
type OutputUsage struct {
	// Written is the number of bytes that were ever written, Dropped how many of them,
	// from the start, are not kept any more.
	Written int64 `json:"written"`
	Dropped int64 `json:"dropped,omitempty"`
	// Lost describes what could not be written.
	Lost executor.Loss `json:"lost,omitzero"`
}

// End is the end of an attempt.
type End struct {
	executor.Exit
	Attempt int `json:"attempt"`
	// Output says whether all of the output is in the log.
	Output executor.Output `json:"output,omitempty"`
}
