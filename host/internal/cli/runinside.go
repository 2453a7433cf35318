package cli

import (
	"errors"
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
	fs.BoolVar(&p.Privileged, "privileged", false, "all capabilities and devices, nothing hidden: like root on this machine")
	fs.Func("cap-add", "`CAPABILITY` to have besides the usual ones, such as NET_ADMIN, or ALL", appendTo(&p.CapAdd))
	fs.Func("cap-drop", "`CAPABILITY` not to have, or ALL", appendTo(&p.CapDrop))
	fs.Func("device", "`DEVICE` of this machine: SOURCE[:TARGET][:ACCESS]; ACCESS is some of rwm", func(s string) error {
		d, err := ocispec.ParseDevice(s)
		p.Devices = append(p.Devices, d)
		return err
	})
	fs.BoolVar(&p.Init, "init", false, "run the command below an init of this machine, such as tini-static, which reaps processes")
	fs.Func("group-add", "further `GROUP` of the process, a name or number", appendTo(&p.Groups))
	fs.Func("sysctl", "`SETTING` NAME=VALUE of its own namespaces, such as net.core.somaxconn=1024", func(s string) error {
		name, value, err := ocispec.ParseSysctl(s)
		if p.Sysctls == nil {
			p.Sysctls = map[string]string{}
		}
		p.Sysctls[name] = value
		return err
	})
	plain := func(s string) (string, error) { return ocispec.ParseNamespace(s) }
	for _, ns := range []struct {
		flag, modes, has string
		mode             *string
		parse            func(string) (string, error)
	}{
		{"pid", "private, host or container:NAME", "processes", &p.PID, ocispec.ParsePID},
		{"ipc", "private, shareable, none, host or container:NAME", "shared memory", &p.IPC, ocispec.ParseIPC},
		{"uts", "private or host", "host name", &p.UTS, plain},
		{"cgroupns", "private or host", "view of cgroups", &p.Cgroupns, plain},
	} {
		fs.Func(ns.flag, "`MODE` "+ns.modes+": whose "+ns.has+" the container has (default private)", func(s string) (err error) {
			*ns.mode, err = ns.parse(s)
			return err
		})
	}
	fs.Func("security-opt", "`OPTION` no-new-privileges, or seccomp=unconfined or a profile's FILE", p.ApplySecurityOpt)
}

// appendTo returns the function of a flag that can be given more than once.
func appendTo(list *[]string) func(string) error {
	return func(s string) error {
		if s == "" {
			return errors.New("it is empty; leave the flag out if that is meant")
		}
		*list = append(*list, s)
		return nil
	}
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
