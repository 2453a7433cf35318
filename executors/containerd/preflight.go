package containerd

import (
	"context"
	"fmt"
	"os"

	"cmp"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// runnable is what a runtime turns out to be on the connected daemon. What
// cannot be known is empty.
type runnable struct {
	shim        string // path of the shim's binary
	shimVersion string
	oci         string // path of the OCI binary
	shield      bool   // see needsShield
}

// preflight finds out whether the connected daemon can run a runtime, before
// anything is made. It refuses only what is known to fail; the error is
// [executor.FailedPrecondition].
func (b *Backend) preflight(ctx context.Context, name string, r runtimes.Resolved) (runnable, error) {
	d, err := b.conn.info(ctx)
	if err != nil {
		return runnable{}, oci.Fault(err)
	}
	run, problem := b.examine(ctx, d, r)
	if problem != "" {
		return run, executor.Errorf(executor.FailedPrecondition, "runtime %s: %s", name, problem)
	}
	return run, nil
}

// examine is preflight with the problem in words, "" if there is none.
func (b *Backend) examine(ctx context.Context, d daemonInfo, r runtimes.Resolved) (run runnable, problem string) {
	run.shield = needsShield(d, r)
	release, known := d.release()
	if known && r.Kind() == runtimes.KindLinux && !release.Before(v2_0) {
		return run, fmt.Sprintf("containerd %s cannot serve the shim %s, which ended with containerd 1.7; use %s", d.version, r.Shim, runtimes.ShimRuncV2)
	}
	if !d.visible {
		return run, ""
	}
	binary := runtimes.ShimBinary(r.Shim)
	var err error
	if run.shim, err = runtimes.LookPath(binary, d.path); err != nil {
		// The second place that containerd looks at is beside itself.
		if run.shim, err = runtimes.LookPath(binary, d.dir); err != nil {
			return run, missingShim(d, r.Shim, binary)
		}
	}
	if r.Kind() == runtimes.KindRunc {
		run.shimVersion = b.prober.Version(ctx, run.shim, "-v")
		if problem := skew(binary, run.shimVersion, d.version); problem != "" {
			return run, fmt.Sprintf("%s (the shim is %s)", problem, run.shim)
		}
	}
	if r.Kind() != runtimes.KindGeneric {
		if run.oci, err = runtimes.LookPath(cmp.Or(r.Path, "runc"), d.path); err != nil {
			return run, err.Error() + "; install it, or choose another runtime"
		}
	}
	return run, ""
}

func missingShim(d daemonInfo, shim, binary string) string {
	if _, err := os.Stat(binary); err == nil {
		return binary + " is not an executable file"
	}
	remedy := "install it there"
	if release, ok := d.release(); ok && shim == runtimes.ShimRuncV1 && !release.Before(v2_0) {
		remedy = fmt.Sprintf("containerd %s no longer comes with it; install the one of containerd 1.7 there, or use %s", d.version, runtimes.ShimRuncV2)
	}
	return fmt.Sprintf("the shim's binary %s is neither on containerd's PATH (%s) nor in %s: %s", binary, d.path, d.dir, remedy)
}

// oci.DrainCap gives the cap of the shim.
func (r runnable) drain() oci.DrainCap {
	if v, ok := runtimes.ParseRelease(r.shimVersion); ok && !v.Before(v1_7) {
		return oci.DrainLong
	}
	return oci.DrainShort
}
