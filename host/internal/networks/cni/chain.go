package cni

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/utils"
	"github.com/containernetworking/cni/pkg/version"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/trust"
)

// MaxSize bounds the file of a list of plugins, in bytes.
const MaxSize = 64 << 10

// Capabilities of plugins: what they declare to take from a runtime.
const (
	CapIPs     = "ips"
	CapMAC     = "mac"
	CapPorts   = "portMappings"
	CapAliases = "aliases"
	CapDNS     = "dns"
)

// Chain is a list of plugins, which are run one after another.
type Chain struct{ list *libcni.NetworkConfigList }

// Load reads a list of plugins from a file, which nobody but root and the own user may write:
// it says which programs are run. The error says what is wrong, and in which line.
func Load(path string) (*Chain, error) {
	if _, err := trust.File(path); err != nil {
		return nil, err
	}
	text, err := linux.ReadFile(path, MaxSize)
	if err != nil {
		return nil, err
	}
	c, err := parse(text)
	if err == nil && !c.list.LoadOnlyInlinedPlugins {
		err = c.addFiles(filepath.Dir(path))
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse returns the list of plugins of a text that [Chain.Text] has returned.
func Parse(text []byte) (*Chain, error) {
	c, err := parse(text)
	if err == nil {
		err = c.check()
	}
	return c, err
}

func parse(text []byte) (*Chain, error) {
	var whole map[string]any
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, executor.Errorf(executor.Invalid, "%sit is not a JSON object: %w", where(text, err), err)
	}
	if _, single := whole["type"]; single && whole["plugins"] == nil {
		return nil, executor.Errorf(executor.Invalid, `it is the configuration of one plugin; write a list, { "name": …, "plugins": [ … ] }`)
	}
	list, err := libcni.NetworkConfFromBytes(text)
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "%w", err)
	}
	return &Chain{list}, nil
}

// where says in which line of a text an error is, if it knows.
func where(text []byte, err error) string {
	offset := int64(-1)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	}
	if offset < 0 || offset > int64(len(text)) {
		return ""
	}
	return fmt.Sprintf("line %d: ", 1+bytes.Count(text[:offset], []byte("\n")))
}

// addFiles adds the plugins of the directory beside the file that is named as the network. The
// text has them then too, since the directory may have changed when it is used.
func (c *Chain) addFiles(dir string) error {
	if err := utils.ValidateNetworkName(c.list.Name); err != nil {
		return nil // which check says
	}
	more, err := libcni.NetworkPluginConfsFromFiles(dir, c.list.Name)
	if err != nil || len(more) == 0 {
		return err
	}
	c.list.Plugins = append(c.list.Plugins, more...)
	var whole map[string]any
	if err := json.Unmarshal(c.list.Bytes, &whole); err != nil {
		return err
	}
	var plugins []json.RawMessage
	for _, p := range c.list.Plugins {
		plugins = append(plugins, p.Bytes)
	}
	whole["plugins"], whole["loadOnlyInlinedPlugins"] = plugins, true
	c.list.Bytes, err = json.Marshal(whole)
	return err
}

// check checks what libcni would find wrong when it runs the plugins.
func (c *Chain) check() error {
	invalid := func(format string, args ...any) error { return executor.Errorf(executor.Invalid, format, args...) }
	if err := utils.ValidateNetworkName(c.list.Name); err != nil {
		return invalid("its name %q is not allowed: %s", c.list.Name, err.Details)
	}
	newer, err := version.GreaterThan(c.list.CNIVersion, version.Current())
	switch {
	case c.list.CNIVersion == "":
		return invalid("it has no cniVersion")
	case err != nil:
		return invalid("its cniVersion %q is not a version: %w", c.list.CNIVersion, err)
	case newer:
		return invalid("its cniVersion is %s, and the newest that is known is %s", c.list.CNIVersion, version.Current())
	case len(c.list.Plugins) == 0:
		return invalid("it has no plugins")
	}
	return nil
}

// Name returns the name by which the plugins know the network.
func (c *Chain) Name() string { return c.list.Name }

// Text returns the list as [Parse] takes it.
func (c *Chain) Text() []byte { return c.list.Bytes }

// Has reports whether one of the plugins takes a capability.
func (c *Chain) Has(capability string) bool {
	return slices.ContainsFunc(c.list.Plugins, func(p *libcni.PluginConfig) bool { return p.Network.Capabilities[capability] })
}

// Missing returns an error for each program of a plugin that is not in one of dirs, or that
// others may write. Those of the addresses of a plugin count too.
func (c *Chain) Missing(dirs []string) (errs []error) {
	seen := map[string]bool{"": true}
	for _, p := range c.list.Plugins {
		for _, name := range []string{p.Network.Type, p.Network.IPAM.Type} {
			if seen[name] {
				continue
			}
			seen[name] = true
			if _, err := find(name, dirs); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}

// find returns the program of a plugin.
func find(name string, dirs []string) (string, error) {
	path, err := invoke.FindInPath(name, dirs)
	if err != nil {
		return "", executor.Errorf(executor.FailedPrecondition, "plugin %q: there is no such program in %s; install it, or name its directory as one of plugin_dirs", name, join(dirs))
	}
	if _, err := trust.File(path); err != nil {
		return "", executor.Errorf(executor.FailedPrecondition, "plugin %q: %w", name, err)
	}
	return path, nil
}

// join returns words as a sentence has them.
func join(words []string) string {
	var b bytes.Buffer
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(w)
	}
	return b.String()
}
