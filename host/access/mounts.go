package access

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

var (
	// bindOptions change nothing but what the container may do with the mount.
	bindOptions = strings.Fields("bind rbind ro rw private rprivate slave rslave nosuid nodev noexec nosymfollow noatime nodiratime relatime strictatime")
	// tmpfsOptions are those of a file system in memory. So are those in tmpfsSettings.
	tmpfsOptions  = strings.Fields("ro rw suid nosuid dev nodev exec noexec nosymfollow noatime nodiratime relatime strictatime rprivate private")
	tmpfsSettings = strings.Fields("size mode uid gid nr_inodes nr_blocks")
)

// mounts decides about what is mounted into the container.
func (j *judge) mounts() error {
	mounts := j.opts.Process.Mounts
	for i := range mounts {
		m := &mounts[i]
		var err error
		switch {
		case m.Type == ocispec.TypeVolume:
			err = j.volume(m)
		case m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind"):
			err = j.bind(m)
		case m.Type == "tmpfs":
			err = j.tmpfs(m)
		default:
			err = j.feature(config.FeatureMounts, fmt.Sprintf("mount of type %q at %s", m.Type, m.Destination))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// volume decides about a volume. The host takes no option of it that is not harmless.
func (j *judge) volume(m *specs.Mount) error {
	if m.Source == "" || config.MatchesAny(j.rule.Volumes, m.Source) {
		return nil
	}
	return j.needs("volume "+m.Source, fmt.Sprintf("volumes = [%q]", m.Source))
}

func (j *judge) tmpfs(m *specs.Mount) error {
	for _, option := range m.Options {
		name, _, setting := strings.Cut(option, "=")
		if setting && slices.Contains(tmpfsSettings, name) || slices.Contains(tmpfsOptions, option) {
			continue
		}
		if err := j.feature(config.FeatureMounts, fmt.Sprintf("option %q of the tmpfs at %s", option, m.Destination)); err != nil {
			return err
		}
	}
	return nil
}

// bind decides about a path of the machine, and puts the path without links into the mount.
// What may only be read has no mounts below it, which could be written.
func (j *judge) bind(m *specs.Mount) error {
	for _, option := range m.Options {
		if slices.Contains(bindOptions, option) {
			continue
		}
		if err := j.feature(config.FeatureMounts, fmt.Sprintf("option %q of the mount at %s", option, m.Destination)); err != nil {
			return err
		}
	}
	readOnly := slices.Contains(m.Options, "ro") && !slices.Contains(m.Options, "rw")
	source, granted, err := j.path("to mount "+m.Source, m.Source, readOnly)
	if err != nil {
		return err
	}
	m.Source = source
	if readOnly && !granted {
		for i, option := range m.Options {
			if option == "rbind" {
				m.Options[i] = "bind"
			}
		}
		m.Options = slices.Compact(m.Options)
	}
	return nil
}

// rootfs decides about a root file system that is a directory of the machine. What a container
// writes into a layer over it does not come into it.
func (j *judge) rootfs() error {
	o := &j.opts
	if o.Rootfs == "" {
		return nil
	}
	dir, _, err := j.path("--rootfs "+o.Rootfs, o.Rootfs, o.RootfsOverlay)
	if err == nil {
		o.Rootfs = dir
	}
	return err
}

// path decides whether the container may have a path of the machine, and returns it without
// links. writable says that it may write there. What no rule has is not even looked up: who may
// not have a file does not learn whether it exists.
func (j *judge) path(what, path string, readOnly bool) (_ string, writable bool, _ error) {
	missing := fmt.Sprintf("binds = [%q]", path)
	if readOnly {
		missing = fmt.Sprintf("binds = [%q]", path+":ro")
	}
	if !filepath.IsAbs(path) {
		return "", false, api.Denied("%s: write the path from / on", what)
	}
	if may, _ := j.granted(path, readOnly, filepath.Clean); !may {
		return "", false, j.needs(what, missing)
	}
	resolved, err := settled(path)
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", what, err)
	}
	may, writable := j.granted(resolved, readOnly, followed)
	if !may {
		return "", false, j.needs(fmt.Sprintf("%s, which leads to %s,", what, resolved), missing)
	}
	for _, own := range []string{j.state.config.StateDir, j.state.config.RunDir} {
		if own = followed(own); config.Within(resolved, own) || config.Within(own, resolved) {
			return "", false, api.Denied("%s: %s has the host's own files, which nobody but root may have; use a volume", what, resolved)
		}
	}
	return resolved, writable, nil
}

// granted reports whether the rule has a path, and whether for writing, too.
func (j *judge) granted(path string, readOnly bool, real func(string) string) (may, writable bool) {
	path = filepath.Clean(path)
	for _, element := range j.rule.Binds {
		dir, roOnly := config.Bind(element)
		if !config.Within(path, real(dir)) {
			continue
		}
		may = may || readOnly || !roOnly
		writable = writable || !roOnly
	}
	return may, writable
}

// followed returns a path without links, or as it is if it does not lead anywhere.
func followed(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return filepath.Clean(path)
}

// devices decides about devices of the machine, and disks whose use is limited.
func (j *judge) devices() error {
	p := &j.opts.Process
	for i := range p.Devices {
		source, err := j.device("--device "+p.Devices[i].Source, p.Devices[i].Source)
		if err != nil {
			return err
		}
		if p.Devices[i].Target == "" {
			p.Devices[i].Target = p.Devices[i].Source
		}
		p.Devices[i].Source = source
	}
	for _, limit := range p.DiskLimits {
		if _, err := j.device("a limit of "+limit.Device, limit.Device); err != nil {
			return err
		}
	}
	return nil
}

func (j *judge) device(what, path string) (string, error) {
	granted := func(path string, real func(string) string) bool {
		return slices.ContainsFunc(j.rule.Devices, func(dir string) bool { return config.Within(filepath.Clean(path), real(dir)) })
	}
	missing := fmt.Sprintf("devices = [%q]", path)
	if !granted(path, filepath.Clean) {
		return "", j.needs(what, missing)
	}
	resolved, err := settled(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if !granted(resolved, followed) {
		return "", j.needs(fmt.Sprintf("%s, which leads to %s,", what, resolved), missing)
	}
	return resolved, nil
}
