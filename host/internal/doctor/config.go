package doctor

import (
	"context"
	"slices"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/shared/executor"
)

var _ = add(40, "config", lookAtConfig)

// lookAtConfig asks the executors about the config, as `davit validate` does.
func lookAtConfig(ctx context.Context, p *Patient, r *report) {
	found := p.Problems
	if !found.HasErrors() && p.Validate != nil {
		for _, d := range p.Validate(ctx) {
			if !slices.Contains(found, d) { // reading it has found what needs no executor
				found = append(found, d)
			}
		}
	}
	if len(found) == 0 {
		r.ok("%s, %s", p.ConfigName, count(len(p.Config.Backends), "backend"))
	}
	r.diagnostics(found)
}

// diagnostics reports findings about a config.
func (r *report) diagnostics(all diag.Diagnostics) {
	for _, d := range all {
		status := Fail
		if d.Severity == executor.SeverityWarning {
			status = Warn
		}
		hint := d.Hint
		d.Hint, d.Severity = "", executor.SeverityError // the status says it
		r.add(status, hint, "%s", d)
	}
}
