package containers

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/seccomp"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// makeSpec returns the OCI spec of a container and the command that it runs. etc is the
// directory of its files for /etc.
func makeSpec(opts api.ContainerOptions, defaults config.Defaults, etc string) (spec json.RawMessage, command []string, err error) {
	opts.Process.Terminal = &opts.Terminal
	if opts.Process.Privileged && opts.Process.Seccomp == "" {
		opts.Process.Seccomp = ocispec.SeccompUnconfined
	}
	switch {
	case opts.Bundle != "" && opts.Rootfs != "":
		return nil, nil, executor.Errorf(executor.Invalid, "both a bundle (%q) and a root file system (%q) are given; use one", opts.Bundle, opts.Rootfs)
	case opts.Bundle != "":
		spec, err = ocispec.FromBundle(opts.Bundle, opts.Process)
	case opts.Rootfs != "":
		opts.Process.Etc = etc
		if err = setDefaults(&opts.Process, defaults); err == nil {
			spec, err = ocispec.FromRootfs(opts.Rootfs, opts.Process)
		}
	default:
		return nil, nil, executor.Errorf(executor.Invalid, "neither an image nor a bundle nor a root file system is given")
	}
	if err == nil && opts.Process.Seccomp != "" {
		spec, err = seccomp.Apply(spec, opts.Process.Seccomp)
	}
	if err != nil {
		return nil, nil, err
	}
	var read struct {
		Process struct {
			Args []string `json:"args"`
		} `json:"process"`
	}
	if err := json.Unmarshal(spec, &read); err != nil {
		return nil, nil, executor.Errorf(executor.Internal, "reading back the spec: %w", err)
	}
	return spec, opts.Process.WithoutInit(read.Process.Args), nil
}

// setDefaults sets in o what the config says about containers that leave it open.
func setDefaults(o *ocispec.Options, d config.Defaults) error {
	if o.NoNewPrivileges == nil {
		o.NoNewPrivileges = d.NoNewPrivileges
	}
	if o.Seccomp == "" {
		var err error
		if o.Seccomp, err = ocispec.ReadSeccomp(cmp.Or(d.SeccompProfile, ocispec.SeccompBuiltin)); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "defaults of the config: %w", err)
		}
	}
	limits, err := d.Limits()
	limits = slices.DeleteFunc(limits, func(l specs.POSIXRlimit) bool {
		return slices.ContainsFunc(o.Ulimits, func(own specs.POSIXRlimit) bool { return own.Type == l.Type })
	})
	o.Ulimits = append(limits, o.Ulimits...)
	return err
}

// CheckDefaults checks whether containers can have the defaults of a config here.
func CheckDefaults(d config.Defaults) error {
	var o ocispec.Options
	if err := setDefaults(&o, d); err != nil {
		return err
	}
	_, err := seccomp.Apply(json.RawMessage(`{}`), o.Seccomp)
	return err
}
