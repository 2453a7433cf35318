package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// eventFilterKeys are the keys of --filter for events.
var eventFilterKeys = []string{"backend", "container", "event", "image", "network", "type", "volume"}

// eventFilters say which events are printed: those that have one of the values of each key,
// within a time. A zero time is no bound.
type eventFilters struct {
	values       map[string][]string
	since, until time.Time
}

func (f *eventFilters) add(s string) error {
	key, value, err := cutFilter(s, eventFilterKeys)
	if err != nil {
		return err
	}
	if f.values == nil {
		f.values = map[string][]string{}
	}
	f.values[key] = append(f.values[key], value)
	return nil
}

// resolve replaces the names of containers by their ids. What names no container may be the
// id of one that is removed, or the beginning of it.
func (f *eventFilters) resolve(ctx context.Context, client *api.Client) error {
	for i, ref := range f.values["container"] {
		c, err := client.Inspect(ctx, ref)
		switch {
		case err == nil:
			f.values["container"][i] = c.ID
		case !errors.Is(err, executor.NotFound):
			return fmt.Errorf("filter container: %w", err)
		}
	}
	return nil
}

// over reports whether no event from this one on can pass.
func (f *eventFilters) over(e api.Event) bool { return !f.until.IsZero() && e.Time.After(f.until) }

// pass reports whether an event is printed. An event is meant by its whole type, such as
// container.started, or by what is after the dot, and a type by what is before it.
func (f *eventFilters) pass(e api.Event) bool {
	if e.Time.Before(f.since) {
		return false
	}
	kind, action, _ := strings.Cut(e.Type, ".")
	for key, values := range f.values {
		has := slices.ContainsFunc(values, func(v string) bool {
			switch key {
			case "backend":
				return e.Backend == v
			case "container":
				return v != "" && strings.HasPrefix(e.Container, v)
			case "event":
				return e.Type == v || action == v
			case "image":
				return aboutImage(e, v)
			case "network", "volume":
				return kind == key && e.Data[key] == v
			default:
				return kind == v
			}
		})
		if !has {
			return false
		}
	}
	return true
}

// aboutImage reports whether an event is about an image with a name or id, or with an id that
// begins so.
func aboutImage(e api.Event, value string) bool {
	_, hex, _ := strings.Cut(e.Data["image"], ":")
	named := slices.ContainsFunc(strings.Split(e.Data["name"], ","), func(name string) bool {
		return name == value || name == value+":latest"
	})
	return value != "" && strings.HasPrefix(e.Type, "image.") && (named || strings.HasPrefix(hex, strings.TrimPrefix(value, "sha256:")))
}
