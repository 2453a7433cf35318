package host

import (
	"encoding/json"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// makeSpec makes the OCI spec of a container, and gives the command that it
// runs.
func makeSpec(opts ContainerOptions) (spec json.RawMessage, command []string, err error) {
	noTerminal := false // the streams are files
	opts.Process.Terminal = &noTerminal
	switch {
	case opts.Bundle != "" && opts.Rootfs != "":
		return nil, nil, executor.Errorf(executor.Invalid, "both a bundle (%q) and a root file system (%q) are given; use one", opts.Bundle, opts.Rootfs)
	case opts.Bundle != "":
		spec, err = ocispec.FromBundle(opts.Bundle, opts.Process)
	case opts.Rootfs != "":
		spec, err = ocispec.FromRootfs(opts.Rootfs, opts.Process)
	default:
		return nil, nil, executor.Errorf(executor.Invalid, "neither a bundle nor a root file system is given")
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
	return spec, read.Process.Args, nil
}
