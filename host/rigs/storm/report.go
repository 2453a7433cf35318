package storm

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// lockedWriter lets several goroutines print, a line at a time.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// report counts. It is safe for concurrent use.
type report struct {
	out      io.Writer
	begin    time.Time
	versions []string // when it began

	mu         sync.Mutex
	faults     map[string]map[string]int // by kind and phase
	counts     map[string]int
	slowest    map[string]time.Duration
	violations []string
}

// The invariants. A violation is reported under the name of one.
const (
	lost         = "lines lost"
	torn         = "lines torn"
	doubled      = "lines doubled or out of order"
	wrongExits   = "exits wrong, missing or reported twice"
	secondStarts = "second starts"
	otherProcess = "processes that changed"
	eventGaps    = "events missing or twice"
	damaged      = "images damaged"
	leftovers    = "leftovers"
	leaks        = "leaks"
	panics       = "panics"
	tooFew       = "faults that did not come"
	others       = "other violations"
)

var invariants = []string{lost, torn, doubled, wrongExits, secondStarts, otherProcess, eventGaps, damaged, leftovers, leaks, panics, tooFew, others}

// What else is counted.
const (
	containers   = "containers"
	perRuntime   = "containers on " // + target/runtime
	lines        = "lines acknowledged"
	events       = "events"
	refused      = "creates refused, leaving nothing"
	unsureOutput = "outputs complete but reported as truncated"
	recovered    = "exits recovered"
	shimHonest   = "exits reported as lost after their shim was killed"
)

func newReport(out io.Writer) *report {
	return &report{out: out, begin: time.Now(), faults: map[string]map[string]int{}, counts: map[string]int{}, slowest: map[string]time.Duration{}}
}

// fault counts one. The phase is that of a container's life, or what else distinguishes
// the faults of a kind apart.
func (r *report) fault(kind, phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults[kind] == nil {
		r.faults[kind] = map[string]int{}
	}
	r.faults[kind][phase]++
}

// came counts the faults of a kind.
func (r *report) came(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sum(r.faults[kind])
}

func (r *report) count(what string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what] += n
}

// took notes how long something took.
func (r *report) took(what string, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slowest[what] = max(r.slowest[what], d)
}

// bad counts a violation of an invariant and says what it is.
func (r *report) bad(invariant string, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[invariant]++
	text := fmt.Sprintf("%8.3fs %s: ", time.Since(r.begin).Seconds(), invariant) + fmt.Sprintf(format, args...)
	if len(r.violations) < 200 {
		r.violations = append(r.violations, text)
		fmt.Fprintln(r.out, "VIOLATION", text)
	}
}

func (r *report) failed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.violations)
}

// broke reports whether an invariant was violated.
func (r *report) broke(invariant string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[invariant] > 0
}

// print writes the tables of a row.
func (r *report) print() {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "\n%s\n\n", time.Since(r.begin).Round(time.Second))
	columns := map[string]bool{}
	for _, by := range r.faults {
		for phase := range by {
			columns[phase] = true
		}
	}
	order := slices.DeleteFunc(slices.Clone(phases), func(p string) bool { return !columns[p] })
	for _, phase := range slices.Sorted(maps.Keys(columns)) {
		if !slices.Contains(order, phase) {
			order = append(order, phase)
		}
	}
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "faults\t%s\tall\t\n", strings.Join(order, "\t"))
	for _, kind := range slices.Sorted(maps.Keys(r.faults)) {
		fmt.Fprint(w, kind, "\t")
		for _, phase := range order {
			fmt.Fprint(w, r.faults[kind][phase], "\t")
		}
		fmt.Fprint(w, sum(r.faults[kind]), "\t\n")
	}
	_ = w.Flush()
	fmt.Fprintln(r.out)
	w = tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, what := range invariants {
		fmt.Fprintf(w, "%s\t%d\n", what, r.counts[what])
	}
	fmt.Fprintln(w, "\t\nno violations, but counted:\t")
	for _, what := range slices.Sorted(maps.Keys(r.counts)) {
		if !slices.Contains(invariants, what) {
			fmt.Fprintf(w, "%s\t%d\n", what, r.counts[what])
		}
	}
	for _, what := range slices.Sorted(maps.Keys(r.slowest)) {
		fmt.Fprintf(w, "slowest %s\t%s\n", what, r.slowest[what].Round(time.Millisecond))
	}
	_ = w.Flush()
	fmt.Fprintf(r.out, "\nviolations: %d\n", len(r.violations))
	for _, v := range r.violations {
		fmt.Fprintln(r.out, " ", v)
	}
}
