package access

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
)

// Compare returns what differs between the rules of two configs.
func Compare(before, after []config.Rule) (changes []api.ReloadChange) {
	find := func(list []config.Rule, name string) *config.Rule {
		if i := slices.IndexFunc(list, func(r config.Rule) bool { return r.Name == name }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for i := range after {
		r := &after[i]
		old := find(before, r.Name)
		change := api.ReloadChange{What: fmt.Sprintf("rule %q", r.Name), Action: api.ReloadAdded, Place: r.At()}
		if old != nil {
			differing := differences(old, r)
			if len(differing) == 0 {
				continue
			}
			change.Action, change.Detail = api.ReloadChanged, strings.Join(differing, ", ")
		}
		changes = append(changes, change)
	}
	for i := range before {
		if find(after, before[i].Name) == nil {
			changes = append(changes, api.ReloadChange{What: fmt.Sprintf("rule %q", before[i].Name), Action: api.ReloadRemoved})
		}
	}
	return changes
}

// differences returns the names of the attributes that two rules have not in common.
func differences(a, b *config.Rule) (names []string) {
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for f := range x.Type().Fields() {
		if !f.IsExported() || slices.Equal(texts(x.FieldByIndex(f.Index)), texts(y.FieldByIndex(f.Index))) {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func texts(v reflect.Value) []string {
	if list, ok := reflect.TypeAssert[[]string](v); ok {
		return list
	}
	return []string{v.String()}
}
