package specfields

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/nearest"
)

const attribute = "ignore"

// Attribute declares the config's list of ignored fields. If it is absent, [Default]
// applies.
func (f Filter) Attribute() executor.Attribute {
	return executor.Attribute{
		Name: attribute, Type: executor.Strings, Default: json.RawMessage(`["` + Usual + `"]`),
		Description: `fields of the OCI spec, such as "hostname" or "linux.seccomp", that are passed over and not refused; "` + Usual + `" is the isolation that every container asks for`,
	}
}

// Default returns the fields that are ignored by default.
func Default() []string { return []string{Usual} }

// Check checks a list of ignored fields.
func (f Filter) Check(ignore []string) []executor.Diagnostic {
	var diags []executor.Diagnostic
	known := f.Ignorable()
	for _, name := range ignore {
		if !slices.Contains(known, name) {
			diags = append(diags, executor.Diagnostic{
				Severity: executor.SeverityError, Path: []string{"config", attribute},
				Message: fmt.Sprintf("%q is no field of the OCI spec that can be ignored", name),
				Hint:    hint(name, known),
			})
		}
	}
	return diags
}

// hint returns which field may have been meant. name may be only the last part of a
// path.
func hint(name string, known []string) string {
	const named = "ields are named as in the OCI runtime spec, from its top"
	near := nearest.Name(name, known)
	if i := slices.IndexFunc(known, func(k string) bool {
		return nearest.Name(name, []string{k[strings.LastIndexByte(k, '.')+1:]}) != ""
	}); near == "" && i >= 0 {
		near = known[i]
	}
	if near == "" {
		return "f" + named
	}
	return fmt.Sprintf("did you mean %q? F%s", near, named)
}
