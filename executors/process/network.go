package process

import (
	"os"
	"path"
	"strings"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/internal/specfields"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// netNS returns the network namespace that a workload is to be in, as a job has it: empty if
// that is the machine's.
func (p *builder) netNS(w executor.Workload) (string, error) {
	netns, alone, err := specfields.Network(w, p.ignore)
	switch {
	case err != nil:
		return "", err
	case alone:
		netns = monitor.NewNetNS
	case netns == "":
		return "", nil
	case !path.IsAbs(netns) || path.Clean(netns) != netns:
		return "", executor.Errorf(executor.Invalid, "spec's linux.namespaces: the path %q of the network is not absolute and clean", netns)
	}
	if !p.mounts {
		return "", executor.Errorf(executor.Unsupported, `linux.namespaces: to put a process into a network of its own, the executor needs CAP_SYS_ADMIN; run it as root, use --network host, or add "linux.namespaces" to "ignore" in the backend's config to leave the process in this machine's network`)
	}
	return netns, nil
}

// containNames gives a process on this machine's own files those of the host's files for /etc
// that name others of its network. What the machine lacks is not made there.
func containNames(w executor.Workload) (*monitor.Contain, error) {
	var c *monitor.Contain
	for _, m := range specfields.EtcMounts(w) {
		if _, err := os.Stat(m.Destination); err != nil || m.Destination == "/etc/hostname" {
			continue
		}
		made, err := mountOf(m)
		if err != nil {
			return nil, err
		}
		if c == nil {
			c = new(monitor.Contain)
		}
		c.Mounts = append(c.Mounts, made)
	}
	return c, nil
}

// sysctls returns those of a network namespace of a process's own. All others are the
// machine's.
func sysctls(spec *specs.Spec, netns string) (map[string]string, error) {
	if netns == "" || spec.Linux == nil {
		return nil, nil
	}
	for name := range spec.Linux.Sysctl {
		if p := strings.ReplaceAll(name, ".", "/"); !strings.HasPrefix(p, "net/") || path.Clean(p) != p {
			return nil, executor.Errorf(executor.Unsupported, "linux.sysctl: a plain process has only those of its network (net.*), and %q is the machine's; leave it out, or choose another backend", name)
		}
	}
	return spec.Linux.Sysctl, nil
}
