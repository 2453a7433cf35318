package containerd

import (
	"fmt"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/runtimes"
)

var (
	v1_7 = runtimes.Release{Major: 1, Minor: 7}
	v2_0 = runtimes.Release{Major: 2, Minor: 0}
	v2_3 = runtimes.Release{Major: 2, Minor: 3}
)

// skews are the pairs of a shim of runc and a daemon that were seen to fail. All
// others were seen to work, or have not been seen; see TestSkew.
//
// A daemon starts a shim and reads from its output where it listens. With 2.0
// the answer became JSON, with 2.3 both the request and the answer protobuf; the
// daemons read older answers, and the older shims ignore the request, save for
// the runc.v2 shim of 1.6.
var skews = []struct {
	shim, daemon func(runtimes.Release) bool
	only         string // shim's binary, all if empty
	remedy       string
}{
	{
		shim: from(v2_3), daemon: before(v2_3),
		remedy: "upgrade containerd to 2.3, or put an older shim on its PATH",
	}, {
		shim: from(v2_0), daemon: before(v2_0),
		remedy: "upgrade containerd to 2.x, or put the shim of containerd 1.7 on its PATH",
	}, {
		shim: before(v1_7), daemon: from(v2_3), only: "containerd-shim-runc-v2",
		remedy: "put the shim that came with this containerd first on its PATH",
	},
}

func from(v runtimes.Release) func(runtimes.Release) bool {
	return func(r runtimes.Release) bool { return !r.Before(v) }
}

func before(v runtimes.Release) func(runtimes.Release) bool {
	return func(r runtimes.Release) bool { return r.Before(v) }
}

// skew says why a shim cannot work with a daemon, "" if it can or if one of the
// versions is not known.
func skew(binary, shim, daemon string) string {
	s, ok := runtimes.ParseRelease(shim)
	d, ok2 := runtimes.ParseRelease(daemon)
	if !ok || !ok2 {
		return ""
	}
	name := filepath.Base(binary)
	for _, k := range skews {
		if k.shim(s) && k.daemon(d) && (k.only == "" || k.only == name) {
			return fmt.Sprintf("%s %s does not work with containerd %s; %s", name, shim, daemon, k.remedy)
		}
	}
	return ""
}
