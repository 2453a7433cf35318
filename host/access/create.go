package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/publish"
)

const (
	// limitParameters are limits, which take nothing from anybody but the container.
	limitParameters = "memory_bytes memory_swap memory_reservation cpus cpu_shares cpuset_cpus cpuset_mems pids_limit blkio_weight"

	// freeParameters are those of a new container that concern nothing but the container.
	freeParameters = "name entrypoint ip ip6 mac_address network_aliases add_hosts dns dns_search no_start stdin keep_input terminal " +
		"merge_output output_max auto_remove labels stop_signal stop_timeout start_timeout restart " +
		"health_check.command health_check.tcp health_check.http health_check.none health_check.interval health_check.timeout " +
		"health_check.retries health_check.start_period health_check.start_interval " + // from within the container
		"process.args process.env process.cwd process.user process.hostname process.read_only process.terminal process.init " +
		"process.console_size.height process.console_size.width process.groups process.cap_drop process.shm_bytes " +
		"process.ulimits.type process.ulimits.hard process.ulimits.soft process.sysctls " + // only those of its own namespaces are possible
		"image image_store" // of a backend that the rule has

	// judgedParameters are those that (*judge).all looks at.
	judgedParameters = "request_id backend runtime bundle rootfs rootfs_overlay volumes_from network publish_all " +
		"publish.host_ip publish.host_port publish.host_last publish.container_port publish.protocol " +
		"process.mounts.destination process.mounts.type process.mounts.source process.mounts.options " +
		"process.annotations process.oom_score_adj process.no_new_privileges process.seccomp process.cap_add process.privileged " +
		"process.devices.source process.devices.target process.devices.access process.device_rules process.pid process.ipc process.uts " +
		"process.cgroupns process.disk_limits.device process.disk_limits.kind process.disk_limits.value"
)

// rootParameters are those that no rule can allow.
const rootParameters = "process.mounts.uidMappings.containerID process.mounts.uidMappings.hostID process.mounts.uidMappings.size " +
	"process.mounts.gidMappings.containerID process.mounts.gidMappings.hostID process.mounts.gidMappings.size"

// createParameters are those of a new container that are known.
var createParameters = freeParameters + " " + judgedParameters + " process." + strings.ReplaceAll(limitParameters, " ", " process.")

// firstUnprivileged is the first port that programs without privileges may listen on.
const firstUnprivileged = 1024

// create decides about a container that is to be made, and writes into the request what was
// decided on.
func (d *decision) create() error {
	opts := api.Part[api.ContainerOptions](d.asked)
	if opts == nil {
		return api.Denied("%s is for root alone: the access rules do not find the container in it", called(d.asked))
	}
	rules, err := d.allowing(config.MayRun, "to run containers")
	if err != nil {
		return err
	}
	// Nobody else's request is meant, whatever its id.
	if opts.RequestID != "" {
		opts.RequestID = fmt.Sprintf("user %d: %s", d.caller.UID, opts.RequestID)
	}
	shared, err := d.shares(*opts)
	if err != nil {
		return err
	}
	var first error
	for _, r := range rules {
		j := &judge{decision: d, rule: r, opts: cloned(shared)}
		if err := j.all(); err == nil {
			*opts = j.opts
			return nil
		} else if first == nil {
			first = err
		}
	}
	return first
}

// cloned returns options of which a judge changes nothing that others have.
func cloned(o api.ContainerOptions) api.ContainerOptions {
	o.Process.Mounts = slices.Clone(o.Process.Mounts)
	for i := range o.Process.Mounts {
		o.Process.Mounts[i].Options = slices.Clone(o.Process.Mounts[i].Options)
	}
	o.Process.Devices = slices.Clone(o.Process.Devices)
	return o
}

// shares decides about the containers of which a new one has something, and puts their ids in
// the place of their names.
func (d *decision) shares(o api.ContainerOptions) (api.ContainerOptions, error) {
	o.VolumesFrom = slices.Clone(o.VolumesFrom)
	for i, from := range o.VolumesFrom {
		reference, mode, hasMode := strings.Cut(from, ":")
		c, err := d.mayUse(reference, config.MayRun, "--volumes-from "+reference)
		if err != nil {
			return o, err
		}
		if o.VolumesFrom[i] = c.ID; hasMode {
			o.VolumesFrom[i] += ":" + mode
		}
	}
	for flag, namespace := range map[string]*string{"pid": &o.Process.PID, "ipc": &o.Process.IPC, "network": &o.Network} {
		reference, other := strings.CutPrefix(*namespace, ocispec.NamespaceContainer)
		if !other || reference == "" {
			continue
		}
		c, err := d.mayUse(reference, config.MayRun, fmt.Sprintf("--%s %s", flag, *namespace))
		if err != nil {
			return o, err
		}
		*namespace = ocispec.NamespaceContainer + c.ID
	}
	return o, nil
}

// judge decides whether one rule allows a container.
type judge struct {
	*decision
	rule *rule
	opts api.ContainerOptions
}

// needs returns the error for what the rule does not allow.
func (j *judge) needs(what, missing string) error {
	return j.denied([]*rule{j.rule}, what, missing)
}

// feature returns an error unless the rule has a feature.
func (j *judge) feature(name, what string) error {
	if slices.Contains(j.rule.Features, name) {
		return nil
	}
	return j.needs(what, fmt.Sprintf("features = [%q]", name))
}

func (j *judge) all() error {
	for _, part := range []func() error{j.backend, j.runtime, j.network, j.features, j.capabilities, j.devices, j.rootfs, j.mounts} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (j *judge) backend() error {
	o := &j.opts
	if o.Backend == "" {
		o.Backend = j.state.config.DefaultBackend
	}
	if o.Backend == "" {
		return nil // there is no default, which the host says
	}
	if config.MatchesAny(j.rule.Backends, o.Backend) {
		return nil
	}
	return j.needs("backend "+o.Backend, fmt.Sprintf("backends = [%q]", o.Backend))
}

// runtime names the runtime that is the default: it may be another one when the host looks.
func (j *judge) runtime() error {
	o := &j.opts
	if o.Runtime == "" && len(j.rule.Runtimes) == 0 || o.Backend == "" {
		return nil
	}
	var byDefault string
	if o.Runtime == "" || len(j.rule.Runtimes) == 0 {
		var err error
		if byDefault, err = j.asked.DefaultRuntime(j.ctx, o.Backend); err != nil {
			return err
		}
	}
	if o.Runtime == "" {
		if byDefault == "" { // the backend has none to choose from
			return nil
		}
		o.Runtime = byDefault
	}
	if len(j.rule.Runtimes) == 0 && o.Runtime == byDefault || config.MatchesAny(j.rule.Runtimes, o.Runtime) {
		return nil
	}
	return j.needs("runtime "+o.Runtime, fmt.Sprintf("runtimes = [%q]", o.Runtime))
}

func (j *judge) network() error {
	o := &j.opts
	if o.Network == "" && o.Bundle == "" {
		if b := j.state.config.Backend(o.Backend); b != nil {
			o.Network = b.Defaults.Network
		}
		if (o.Network == "" || o.Network == ocispec.NetworkNone) && (len(o.Publish) > 0 || o.PublishAll) {
			o.Network = api.DefaultNetwork
		}
	}
	if err := j.ports(o.Publish, o.PublishAll); err != nil {
		return err
	}
	switch {
	case o.Network == "", o.Network == ocispec.NetworkNone, strings.HasPrefix(o.Network, ocispec.NetworkContainer):
		return nil
	case o.Network == ocispec.NetworkHost:
		return j.feature(config.FeatureHostNetwork, "--network host")
	case config.MatchesAny(j.rule.Networks, o.Network):
		return nil
	}
	return j.needs("network "+o.Network, fmt.Sprintf("networks = [%q]", o.Network))
}

func (j *judge) ports(all []publish.Port, exposed bool) error {
	if len(all) == 0 && !exposed || slices.Contains(j.rule.Features, config.FeaturePublishLow) {
		return nil
	}
	for _, p := range all {
		if p.HostPort != 0 && p.HostPort < firstUnprivileged {
			return j.feature(config.FeaturePublishLow, fmt.Sprintf("to publish port %d", p.HostPort))
		}
	}
	return j.feature(config.FeaturePublish, "to publish ports")
}

// features decides about what a rule names with a word each.
func (j *judge) features() error {
	o, p := &j.opts, &j.opts.Process
	for _, f := range []struct {
		asked      bool
		name, what string
	}{
		{p.Privileged, config.FeaturePrivileged, "--privileged"},
		{o.Bundle != "", config.FeatureBundle, "--bundle"},
		{p.PID == ocispec.NamespaceHost, config.FeatureHostPID, "--pid host"},
		{p.IPC == ocispec.NamespaceHost, config.FeatureHostIPC, "--ipc host"},
		{p.UTS == ocispec.NamespaceHost, config.FeatureHostUTS, "--uts host"},
		{p.Cgroupns == ocispec.NamespaceHost, config.FeatureHostCgroupns, "--cgroupns host"},
		{len(p.Annotations) > 0, config.FeatureAnnotations, "--annotation"},
		{p.Seccomp != "", config.FeatureSeccomp, "--security-opt seccomp"},
		{p.NoNewPrivileges != nil && !*p.NoNewPrivileges, config.FeatureNewPrivileges, "--security-opt no-new-privileges=false"},
		{len(p.DeviceRules) > 0, config.FeatureDeviceRules, "--device-cgroup-rule"},
		{p.OOMScoreAdj != nil && *p.OOMScoreAdj < 0, config.FeatureOOMScore, "--oom-score-adj below 0"},
	} {
		if !f.asked {
			continue
		}
		if err := j.feature(f.name, f.what); err != nil {
			return err
		}
	}
	// Words that a later release knows, and this one does not.
	for kind, value := range map[string]string{"pid": p.PID, "ipc": p.IPC, "uts": p.UTS, "cgroupns": p.Cgroupns} {
		known := slices.Contains([]string{"", ocispec.NamespaceHost, ocispec.NamespacePrivate, ocispec.NamespaceShareable, ocispec.NamespaceNone}, value)
		if !known && !strings.HasPrefix(value, ocispec.NamespaceContainer) {
			return api.Denied("--%s %s: the access rules do not know that", kind, value)
		}
	}
	return nil
}

func (j *judge) capabilities() error {
	granted := map[string]bool{}
	for _, name := range j.rule.Capabilities {
		granted[ocispec.CapabilityName(name)] = true
	}
	for _, name := range j.opts.Process.CapAdd {
		name = ocispec.CapabilityName(name)
		if !granted["ALL"] && !granted[name] && !slices.Contains(ocispec.DefaultCapabilities(), name) {
			return j.needs("--cap-add "+name, fmt.Sprintf("capabilities = [%q]", name))
		}
	}
	return nil
}

// exec decides about a further process of a container, which the caller may use.
func (d *decision) exec() error {
	opts := api.Part[api.ExecOptions](d.asked)
	switch {
	case opts == nil:
		return api.Denied("%s is for root alone: the access rules do not find the process in it", called(d.asked))
	case !opts.Privileged:
		return nil
	}
	c, err := d.asked.Inspect(*d.asked.Text("ref"))
	if err != nil {
		return err
	}
	about := d.rules()
	for _, r := range about {
		if (r.Allows(config.MayRun) || r.Allows(config.MayControlOthers)) && slices.Contains(r.Features, config.FeaturePrivileged) && config.MatchesAny(r.Backends, c.Backend) {
			return nil
		}
	}
	return d.denied(about, "exec --privileged on backend "+c.Backend, fmt.Sprintf("features = [%q]", config.FeaturePrivileged))
}

// commit decides about an image of a container, which the caller may use.
func (d *decision) commit() error {
	_, err := d.allowing(config.MayChangeImages, "to make an image")
	return err
}

// ofNetwork decides about the network of a container, which the caller may use.
func (d *decision) ofNetwork() error {
	name := *d.asked.Text("name")
	about := d.rules()
	if slices.ContainsFunc(about, func(r *rule) bool { return r.Allows(config.MayRun) && config.MatchesAny(r.Networks, name) }) {
		return nil
	}
	return d.denied(about, "network "+name, fmt.Sprintf("networks = [%q]", name))
}

// ofVolume decides about a volume by its name.
func (d *decision) ofVolume() error {
	rules, err := d.allowing(config.MayRun, "to use volumes")
	if err != nil {
		return err
	}
	name := d.asked.Text("name")
	if d.asked.Route == "CreateVolume" && *name == "" {
		return nil // an anonymous one
	}
	for _, r := range rules {
		if config.MatchesAny(r.Volumes, *name) {
			return nil
		}
	}
	return d.denied(rules, "volume "+*name, fmt.Sprintf("volumes = [%q]", *name))
}
