package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// checkTime bounds a check. Those that start executors or ask a host take a second or two.
const checkTime = 30 * time.Second

// check is an entry of the table.
type check struct {
	place int
	name  string
	look  func(ctx context.Context, p *Patient, r *report)
}

// checks has all checks. It is complete after the initialization of the package.
var checks []check

// add adds a check to the table. Its result is for a variable of the package. Findings are
// shown by the places of their checks.
func add(place int, name string, look func(ctx context.Context, p *Patient, r *report)) bool { //nolint:unparam // a variable of a package has to have a value
	checks = append(checks, check{place, name, look})
	return true
}

// report collects the findings of one check.
type report struct {
	check    string
	findings Findings
}

func (r *report) add(s Status, remedy, format string, args ...any) {
	r.findings = append(r.findings, Finding{Check: r.check, Status: s, Found: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (r *report) ok(format string, args ...any) { r.add(OK, "", format, args...) }
func (r *report) warn(remedy, format string, args ...any) {
	r.add(Warn, remedy, format, args...)
}
func (r *report) fail(remedy, format string, args ...any) {
	r.add(Fail, remedy, format, args...)
}

// unread reports what could not be read, and what would tell it.
func (r *report) unread(what string, err error) {
	remedy := ""
	if errors.Is(err, fs.ErrPermission) {
		remedy = "run davit doctor as root"
	}
	r.add(Unknown, remedy, "%s: %v", what, err)
}

// Examine makes all checks, at the same time.
func Examine(ctx context.Context, p *Patient) Findings {
	all := slices.SortedFunc(slices.Values(checks), func(a, b check) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.name, b.name))
	})
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	p.meet(ctx)
	reports := make([]report, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		reports[i].check = c.name
		wg.Go(func() { c.look(ctx, p, &reports[i]) })
	}
	wg.Wait()
	var found Findings
	for _, r := range reports {
		found = append(found, r.findings...)
	}
	return found
}
