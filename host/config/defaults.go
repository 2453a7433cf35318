package config

import (
	"errors"
	"maps"
	"slices"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Defaults say what containers have that do not ask for something else. They are for
// those that run a root file system: a bundle says it all itself.
type Defaults struct {
	// NoNewPrivileges keeps programs from getting privileges by a set-uid bit; nil means
	// false.
	NoNewPrivileges *bool `json:"no_new_privileges"`
	// SeccompProfile says which system calls are allowed: "builtin", docker's profile;
	// "unconfined"; or the path of a file with a profile in docker's form, which is read
	// for each container. Empty means builtin.
	SeccompProfile string `json:"seccomp_profile"`
	// Network is the network of containers: none, host, user or the name of one. Empty means none.
	Network string `json:"network,omitempty"`
	// Ulimits are resource limits by their names, each SOFT[:HARD], where -1 is none.
	// Open files have the limit 65536:524288, or that of the host where it is lower.
	// Other limits are those of the executor.
	Ulimits map[string]string `json:"ulimits"`
}

// over returns d with what it leaves open taken from base.
func (d Defaults) over(base Defaults) Defaults {
	if d.NoNewPrivileges == nil {
		d.NoNewPrivileges = base.NoNewPrivileges
	}
	setDefault(&d.SeccompProfile, base.SeccompProfile)
	setDefault(&d.Network, base.Network)
	limits := maps.Clone(base.Ulimits)
	if limits == nil {
		limits = map[string]string{}
	}
	maps.Copy(limits, d.Ulimits)
	d.Ulimits = limits
	return d
}

// Limits returns the Ulimits as a spec has them, in the order of their names.
func (d Defaults) Limits() ([]specs.POSIXRlimit, error) {
	var limits []specs.POSIXRlimit
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(d.Ulimits)) {
		l, err := ocispec.ParseUlimitOf(name, d.Ulimits[name])
		limits, errs = append(limits, l), append(errs, err)
	}
	return limits, errors.Join(errs...)
}
