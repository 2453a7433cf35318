package cli

import (
	"strconv"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// insideFlags registers the flags of `davit run` for limits and privileges of the
// process.
func insideFlags(fs *pflag.FlagSet, p *ocispec.Options) {
	fs.Func("ulimit", "resource `LIMIT` such as nofile=1024:4096, soft and hard; -1 is none", func(s string) error {
		limit, err := ocispec.ParseUlimit(s)
		p.Ulimits = append(dropUlimit(p.Ulimits, limit.Type), limit)
		return err
	})
	fs.Func("oom-score-adj", "`NUMBER` from -1000 to 1000: how readily the kernel kills it when memory is short", func(s string) error {
		n, err := strconv.Atoi(s)
		p.OOMScoreAdj = &n
		return err
	})
	fs.Func("security-opt", "`OPTION` no-new-privileges, or seccomp=unconfined or a profile's FILE", p.ApplySecurityOpt)
}

// dropUlimit returns limits without those of a type: the last flag counts.
func dropUlimit(limits []specs.POSIXRlimit, kind string) []specs.POSIXRlimit {
	var rest []specs.POSIXRlimit
	for _, l := range limits {
		if l.Type != kind {
			rest = append(rest, l)
		}
	}
	return rest
}
