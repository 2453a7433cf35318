package api

import (
	"strings"
	"testing"
)

func TestListSelects(t *testing.T) {
	all := []Container{
		{ID: "a", State: StateRunning, Backend: "x", Labels: map[string]string{"app": "web", "tier": ""}},
		{ID: "b", State: StateExited, Backend: "x", Labels: map[string]string{"app": "db"}},
		{ID: "c", State: StateRunning, Backend: "y"},
	}
	c, _ := serveFake(t, &fake{list: func() ([]Container, error) { return append([]Container{}, all...), nil }})
	for _, tt := range []struct {
		name, want string
		opts       []ListOptions
	}{
		{"all", "a b c", nil},
		{"zero", "a b c", []ListOptions{{}}},
		{"a state", "a c", []ListOptions{{States: []State{StateRunning}}}},
		{"states", "a b c", []ListOptions{{States: []State{StateRunning, StateExited}}}},
		{"a backend and a state", "a", []ListOptions{{Backends: []string{"x"}, States: []State{StateRunning}}}},
		{"a label", "a b", []ListOptions{{Labels: []string{"app"}}}},
		{"labels", "a", []ListOptions{{Labels: []string{"app=web", "tier="}}}},
		{"a label with another value", "", []ListOptions{{Labels: []string{"app=x"}}}},
		{"two", "b", []ListOptions{{Labels: []string{"app"}}, {States: []State{StateExited}}}},
	} {
		got, err := c.List(t.Context(), tt.opts...)
		ids := make([]string, len(got))
		for i := range got {
			ids[i] = got[i].ID
		}
		if err != nil || strings.Join(ids, " ") != tt.want {
			t.Errorf("%s: got %q, %v; want %s", tt.name, ids, err, tt.want)
		}
	}
}
