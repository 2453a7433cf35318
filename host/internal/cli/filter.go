package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/pflag"
)

// filters are the values of --filter by their keys. A container passes if it has one of the
// values of each key, and all labels.
type filters map[string][]string

// filterFlag adds --filter to the flags of a command that lists containers.
func filterFlag(fs *pflag.FlagSet) filters {
	f := filters{}
	fs.FuncP("filter", "f", "only containers with `KEY=VALUE`; keys are "+strings.Join(filterKeys(), ", "), f.add)
	return f
}

// filterKeys returns the keys that are known.
func filterKeys() []string {
	keys := []string{"before", "since"}
	for key := range matchers() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (f filters) add(s string) error {
	key, value, err := cutFilter(s, filterKeys())
	if err != nil {
		return err
	}
	states := []api.State{
		api.StateCreated, api.StateCreating, api.StateRunning, api.StatePaused, api.StateExiting, api.StateExited, api.StateRestarting, api.StateUnknown, api.StateFailed,
	}
	switch key {
	case "status":
		if !slices.Contains(states, api.State(value)) {
			return fmt.Errorf("status %q is not known; use one of %s", value, strings.Trim(fmt.Sprint(states), "[]"))
		}
	case "health":
		if all := api.HealthStatuses(); !slices.Contains(all, api.HealthStatus(value)) {
			return fmt.Errorf("health %q is not known; use one of %s", value, strings.Trim(fmt.Sprint(all), "[]"))
		}
	case "exited":
		if _, err := strconv.ParseUint(value, 10, 8); err != nil {
			return fmt.Errorf("exit code %q is not a number from 0 to 255", value)
		}
	case "name":
		if _, err := regexp.Compile(value); err != nil {
			return fmt.Errorf("name %q: %w", value, err)
		}
	}
	f[key] = append(f[key], value)
	return nil
}

// ended reports whether the filters ask for containers that have ended.
func (f filters) ended() bool { return len(f["status"])+len(f["exited"]) > 0 }

// matchers returns, for each key, whether a container has a value.
func matchers() map[string]func(c api.Container, value string) bool {
	return map[string]func(c api.Container, value string) bool{
		"id":      func(c api.Container, v string) bool { return strings.HasPrefix(c.ID, v) },
		"backend": func(c api.Container, v string) bool { return c.Backend == v },
		"runtime": func(c api.Container, v string) bool { return c.Runtime == v },
		"status":  func(c api.Container, v string) bool { return string(c.State) == v },
		"health":  func(c api.Container, v string) bool { return string(healthStatus(c)) == v },
		"name": func(c api.Container, v string) bool {
			matched, _ := regexp.MatchString(v, c.Name) // checked by add
			return matched
		},
		"exited": func(c api.Container, v string) bool {
			return c.Exit != nil && c.Exit.Code != nil && strconv.Itoa(*c.Exit.Code) == v && c.State == api.StateExited
		},
		"ancestor": func(c api.Container, v string) bool { return isImage(c, v) },
		"network": func(c api.Container, v string) bool {
			return c.Network == v || slices.ContainsFunc(c.Addresses, func(a api.Address) bool { return a.Network == v })
		},
		"volume": func(c api.Container, v string) bool {
			return slices.ContainsFunc(c.Volumes, func(m api.MountedVolume) bool { return m.Name == v || m.Target == v })
		},
		"label": func(c api.Container, v string) bool { return hasLabel(c.Labels, v) },
	}
}

// healthStatus returns the health of a container, also of one that is not checked.
func healthStatus(c api.Container) api.HealthStatus {
	if c.Health == nil {
		return api.HealthNone
	}
	return c.Health.Status
}

// hasLabel reports whether there is a label NAME or NAME=VALUE.
func hasLabel(labels map[string]string, label string) bool {
	name, want, valued := strings.Cut(label, "=")
	got, has := labels[name]
	return has && (!valued || got == want)
}

// apply returns the containers that pass.
func (f filters) apply(ctx context.Context, client *api.Client, all []api.Container) ([]api.Container, error) {
	for key, values := range f {
		match := matchers()[key]
		if match == nil {
			continue
		}
		all = slices.DeleteFunc(all, func(c api.Container) bool {
			has := func(value string) bool { return match(c, value) }
			if key == "label" {
				return slices.ContainsFunc(values, func(v string) bool { return !has(v) })
			}
			return !slices.ContainsFunc(values, has)
		})
	}
	for _, key := range []string{"before", "since"} {
		for _, ref := range f[key] {
			c, err := client.Inspect(ctx, ref)
			if err != nil {
				return nil, fmt.Errorf("filter %s: %w", key, err)
			}
			all = slices.DeleteFunc(all, func(other api.Container) bool { return !inOrder(key, other.CreatedAt, c.CreatedAt) })
		}
	}
	return all, nil
}

// inOrder reports whether a time is before or since another one.
func inOrder(key string, at, than time.Time) bool {
	if key == "before" {
		return at.Before(than)
	}
	return at.After(than)
}

// isImage reports whether a container was made from an image: a name, of which no tag means
// latest, an id or the beginning of one.
func isImage(c api.Container, image string) bool {
	if c.Image == "" {
		return false
	}
	whole := func(name string) string {
		name = strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/") // which lists leave out
		if _, tag := cutTag(name); tag == "" && !strings.Contains(name, "@") {
			name += ":latest"
		}
		return name
	}
	id, start := strings.TrimPrefix(c.ImageID, "sha256:"), strings.TrimPrefix(image, "sha256:")
	return whole(c.Image) == whole(image) || len(start) >= 4 && strings.HasPrefix(id, start)
}
