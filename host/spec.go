package host

import (
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// spec makes the OCI spec of a container.
func (h *Host) spec(opts ContainerOptions) (ocispec.Spec, error) {
	switch {
	case opts.Bundle != "" && opts.Rootfs != "":
		return ocispec.Spec{}, executor.Errorf(executor.Invalid, "both a bundle (%q) and a root file system (%q) are given; use one", opts.Bundle, opts.Rootfs)
	case opts.Bundle != "":
		return ocispec.FromBundle(opts.Bundle, opts.Process)
	case opts.Rootfs != "":
		return ocispec.FromRootfs(opts.Rootfs, opts.Process)
	}
	return ocispec.Spec{}, executor.Errorf(executor.Invalid, "neither a bundle nor a root file system is given")
}
