package conformance

import (
	"cmp"
	"path"
	"slices"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// Check is one duty of an executor and its proof.
type Check struct {
	// Name is what reports and Target.Skip call it.
	Name string
	// Duty is what an executor must do, in one sentence.
	Duty string
	// Hint says where an author should look first when the check fails.
	Hint string
	// Method is the method of the protocol that the duty is about.
	Method string
	// Capability is what the executor must declare for the duty to be its own, or
	// empty if every executor has it.
	Capability executor.Capability
	// wireOnly marks a duty of the plugin kit, or one for which executors may rely on
	// the kit.
	wireOnly bool
	// direct marks a check that shows more of a backend in mode Direct. There the
	// backend receives the caller's context itself, no lock of the kit protects it,
	// and a race detector sees it.
	direct bool
	// first marks a check on which all later ones depend.
	first bool
	run   func(*trial)
}

// group is the checks of one file, which run one after the other.
type group struct {
	rank   int
	checks []Check
}

// groups are the checks of all files. It is complete when the package is
// initialized.
var groups []group

// register adds the checks of a file. rank is their place in the order, method what
// they are about.
func register(rank int, method string, checks ...Check) struct{} { //nolint:unparam // a declaration needs a value
	for i := range checks {
		checks[i].Method = cmp.Or(checks[i].Method, method)
	}
	groups = append(groups, group{rank, checks})
	return struct{}{}
}

// Checks returns all checks in the order in which they run.
func Checks() []Check {
	var all []Check
	for _, g := range slices.SortedFunc(slices.Values(groups), func(a, b group) int { return cmp.Compare(a.rank, b.rank) }) {
		all = append(all, g.checks...)
	}
	return all
}

// checks returns the checks to run in a mode: openCheck in any case, since all others
// depend on it, and those that Target.Only matches.
func (t Target) checks(mode Mode) []Check {
	return slices.DeleteFunc(Checks(), func(c Check) bool {
		switch {
		case c.Name == openCheck:
			return false
		case mode == Direct && t.Binary != "" && !c.direct:
			return true
		}
		return len(t.Only) > 0 && !slices.ContainsFunc(t.Only, c.matches)
	})
}

func (c Check) matches(pattern string) bool {
	matched, err := path.Match(pattern, c.Name)
	return matched && err == nil
}

// each runs checks. Those on which later ones depend run alone and in their order, up
// to n of the others at once.
func each(checks []Check, n int, do func(i int, c Check)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, n)
	for i, c := range checks {
		if c.first {
			running.Wait()
			do(i, c)
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			do(i, c)
		})
	}
	running.Wait()
}
