package host

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/davit-run/davit/host/config"
)

// setting is an attribute of the host's own part of a config.
type setting struct {
	path []string
	text func(*config.Config) string
	// keep puts the value that is in force into a new config, for a setting that cannot
	// change before the host is started again. Nil means that it can.
	keep func(to, from *config.Config)
	// note says from when on a change counts.
	note string
}

func (s setting) name() string { return strings.Join(s.path, ".") }

// fixed makes the setting of a field that needs a restart of the host.
func fixed[T any](field func(*config.Config) *T, path ...string) setting {
	s := changing("", field, path...)
	s.keep = func(to, from *config.Config) { *field(to) = *field(from) }
	return s
}

// changing makes the setting of a field that can change at any time.
func changing[T any](note string, field func(*config.Config) *T, path ...string) setting {
	return setting{path: path, note: note, text: func(c *config.Config) string {
		if p, ok := any(*field(c)).(*bool); ok {
			return fmt.Sprint(*p)
		}
		if s, ok := any(*field(c)).(string); ok && s == "" {
			return "none"
		}
		return fmt.Sprint(*field(c))
	}}
}

// settings has what Reload compares, apart from the backends, with which the defaults of
// containers are compared too. The log and the API are the program's.
var settings = []setting{
	fixed(func(c *config.Config) *string { return &c.StateDir }, "state_dir"),
	fixed(func(c *config.Config) *string { return &c.RunDir }, "run_dir"),
	fixed(func(c *config.Config) *string { return &c.Cgroup }, "cgroup"),
	fixed(func(c *config.Config) **bool { return &c.Network.Enabled }, "network", "enabled"),
	fixed(func(c *config.Config) *string { return &c.Metrics.Address }, "metrics", "address"),
	fixed(func(c *config.Config) *[]string { return &c.Metrics.Labels }, "metrics", "labels"),
	fixed(func(c *config.Config) *bool { return &c.Debug.Pprof }, "debug", "pprof"),
	changing(", where executors are looked for when they are started next", func(c *config.Config) *[]string { return &c.ExecutorDirs }, "executor_dirs"),
	changing(", for new containers", func(c *config.Config) *bool { return &c.ForbidHooks }, "forbid_hooks"),
	changing(", for what is started from now on", func(c *config.Config) *string { return &c.Output.MaxSize }, "output", "max_size"),
	changing("", func(c *config.Config) *string { return &c.Retention.Ended }, "retention", "ended"),
	changing("", func(c *config.Config) *string { return &c.Retention.AttemptsSize }, "retention", "attempts_size"),
	changing(", for new networks", func(c *config.Config) *bool { return &c.Network.IPv6 }, "network", "ipv6"),
	changing(", for new networks", func(c *config.Config) *[]string { return &c.Network.Pool }, "network", "pool"),
	changing("", func(c *config.Config) *string { return &c.DefaultBackend }, "default_backend"),
	{
		path: []string{"network"}, text: pluginNetworksText,
		keep: func(to, from *config.Config) { to.CNINetworks = from.CNINetworks },
	},
}

// pluginNetworksText returns the networks of plugins for comparison.
func pluginNetworksText(c *config.Config) string {
	var all []string
	for _, n := range c.CNINetworks {
		all = append(all, fmt.Sprintf("%s of %s and %q", n.Name, n.Conflist, n.PluginDirs))
	}
	return cmp.Or(strings.Join(all, ", "), "none by plugins")
}
