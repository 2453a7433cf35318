package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
)

// runnable is what is known of a runtime on the connected daemon. Unknown fields are
// empty.
type runnable struct {
	shim        string // path of the shim's binary
	shimVersion string
	oci         string // path of the OCI binary
	shield      bool   // see needsShield
	daemon      int    // its pid
}

// preflight finds out, before anything is made, whether the connected daemon can run
// a runtime. It refuses only what is known to fail; the error is
// [executor.FailedPrecondition].
func (d *driver) preflight(ctx context.Context, name string, r runtimes.Resolved) (runnable, error) {
	info, err := d.conn.info(ctx)
	if err != nil {
		return runnable{}, oci.Fault(err)
	}
	run, problem := d.examine(ctx, info, r)
	if problem != "" {
		return run, runtimes.Unusable(name, errors.New(problem))
	}
	return run, nil
}

// examine does what preflight does, but returns the problem in words, "" if there is
// none.
func (d *driver) examine(ctx context.Context, info daemonInfo, r runtimes.Resolved) (run runnable, problem string) {
	run.shield, run.daemon = needsShield(info, r), info.pid
	release, known := info.release()
	if known && r.Kind() == runtimes.KindLinux && !release.Before(v2_0) {
		return run, fmt.Sprintf("containerd %s cannot serve the shim %s, which ended with containerd 1.7; use %s", info.version, r.Shim, runtimes.ShimRuncV2)
	}
	if !info.visible {
		return run, ""
	}
	binary := runtimes.ShimBinary(r.Shim)
	var err error
	if run.shim, err = runtimes.LookPath(binary, info.path); err != nil && filepath.IsAbs(binary) {
		return run, fmt.Sprintf("the shim's binary %s; install it there, or correct the shim's path", err)
	} else if err != nil {
		// The second place that containerd looks at is beside itself.
		if run.shim, err = runtimes.LookPath(binary, info.dir); err != nil {
			return run, missingShim(info, r.Shim, binary)
		}
	}
	if r.Kind() == runtimes.KindRunc {
		run.shimVersion = d.catalog.Version(ctx, run.shim, "-v")
		if problem := skew(binary, run.shimVersion, info.version); problem != "" {
			return run, fmt.Sprintf("%s (the shim is %s)", problem, run.shim)
		}
	}
	if r.Kind() != runtimes.KindGeneric {
		if run.oci, err = runtimes.LookPath(cmp.Or(r.Path, "runc"), info.path); err != nil {
			return run, err.Error() + "; install it, or choose another runtime"
		}
	}
	return run, ""
}

func missingShim(info daemonInfo, shim, binary string) string {
	remedy := "install it there"
	if release, ok := info.release(); ok && shim == runtimes.ShimRuncV1 && !release.Before(v2_0) {
		remedy = fmt.Sprintf("containerd %s no longer comes with it; install the one of containerd 1.7 there, or use %s", info.version, runtimes.ShimRuncV2)
	}
	return fmt.Sprintf("the shim's binary %s is neither on containerd's PATH (%s) nor in %s: %s", binary, info.path, info.dir, remedy)
}

// drain returns how long the shim drains at most.
func (r runnable) drain() oci.DrainCap { return oci.DrainCapOf(r.shimVersion) }
