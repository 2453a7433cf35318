package specfields

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/davit-run/davit/shared/executor"
)

const attribute = "ignore"

// Attribute declares the config's list of ignored fields. Absent, it is what
// [Default] gives.
func (f Filter) Attribute() executor.Attribute {
	return executor.Attribute{
		Name: attribute, Type: executor.Strings, Default: json.RawMessage(`["` + Usual + `"]`),
		Description: `fields of the OCI spec, such as "hostname" or "linux.seccomp", that are passed over and not refused; "` + Usual + `" is the isolation that every container asks for`,
	}
}

// Default gives the fields that are ignored where the config does not say.
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
				Hint:    fmt.Sprintf("did you mean %q? Fields are named as in the OCI runtime spec, from its top", nearest(name, known)),
			})
		}
	}
	return diags
}

// nearest gives the name that is most like a wrong one. Of a path, the last part
// alone may have been given.
func nearest(name string, known []string) string {
	distance := func(k string) int {
		d := levenshtein.Distance(name, k, nil)
		if last := k[strings.LastIndexByte(k, '.')+1:]; last != k {
			d = min(d, 1+levenshtein.Distance(name, last, nil))
		}
		return d
	}
	return slices.MinFunc(known, func(a, b string) int { return distance(a) - distance(b) })
}
