package images

import (
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Ran is what a container was given, beside its image, that goes into the image that is made
// of it. Zero fields leave what the image has.
type Ran struct {
	// Entrypoint and Cmd are the parts of its command; both are nil if it is not known where
	// one of them ends.
	Entrypoint, Cmd []string
	// Env is all of its environment, NAME=VALUE.
	Env        []string
	User       string
	WorkingDir string
	StopSignal string
	// Labels are all that it has.
	Labels map[string]string
	// Ports are such as 80/tcp. Volumes are the paths of those that were made for it.
	Ports, Volumes []string
}

// apply puts what the container was given into the config of its image.
func (r Ran) apply(c *v1.ImageConfig) {
	if len(r.Entrypoint)+len(r.Cmd) > 0 {
		c.Entrypoint, c.Cmd = r.Entrypoint, r.Cmd
	}
	for _, e := range r.Env {
		setVariable(c, e)
	}
	for _, field := range []struct {
		to    *string
		value string
	}{{&c.User, r.User}, {&c.WorkingDir, r.WorkingDir}, {&c.StopSignal, r.StopSignal}} {
		if field.value != "" {
			*field.to = field.value
		}
	}
	if len(r.Labels) > 0 {
		c.Labels = r.Labels
	}
	c.ExposedPorts = with(c.ExposedPorts, r.Ports)
	c.Volumes = with(c.Volumes, r.Volumes)
}

// setVariable sets NAME=VALUE in the environment, in the place of what has that name.
func setVariable(c *v1.ImageConfig, variable string) {
	name, _, _ := strings.Cut(variable, "=")
	for i, e := range c.Env {
		if strings.HasPrefix(e, name+"=") {
			c.Env[i] = variable
			return
		}
	}
	c.Env = append(c.Env, variable)
}

// with returns a set with more members, nil if there are none.
func with(set map[string]struct{}, members []string) map[string]struct{} {
	for _, member := range members {
		if set == nil {
			set = map[string]struct{}{}
		}
		set[member] = struct{}{}
	}
	return set
}
