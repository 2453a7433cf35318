package storm

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// report counts. It is safe for concurrent use.
type report struct {
	out   io.Writer
	begin time.Time

	mu         sync.Mutex
	faults     map[string]map[string]int // by kind and phase
	counts     map[string]int
	slowest    map[string]time.Duration
	violations []string
}

// The rows of the table below the faults, in their order.
const (
	containers   = "containers"
	perRuntime   = "containers on " // + backend/runtime
	lines        = "lines acknowledged"
	lost         = "lines lost"
	torn         = "lines torn"
	doubled      = "lines doubled or out of order"
	wrongExits   = "exits wrong or missing"
	secondStarts = "second starts"
	events       = "events"
	eventGaps    = "gaps in events"
	leftovers    = "leftovers"
	others       = "other violations"
	refused      = "creates refused while containerd was killed"
	gapExits     = "exits told as lost, of containers that ended with containerd 2 down"
	unsureOutput = "outputs complete but told as truncated"
	recovered    = "exits recovered"
	shimKills    = "shims killed"
	shimHonest   = "exits told as lost after it"
)

func newReport(out io.Writer) *report {
	return &report{out: out, begin: time.Now(), faults: map[string]map[string]int{}, counts: map[string]int{}, slowest: map[string]time.Duration{}}
}

func (r *report) fault(kind, phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults[kind] == nil {
		r.faults[kind] = map[string]int{}
	}
	r.faults[kind][phase]++
}

func (r *report) kills() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, phases := range r.faults {
		for _, k := range phases {
			n += k
		}
	}
	return n
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

// bad counts a violation in its row and says what it is.
func (r *report) bad(what string, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
	text := fmt.Sprintf("%8.3fs %s: ", time.Since(r.begin).Seconds(), what) + fmt.Sprintf(format, args...)
	r.violations = append(r.violations, text)
	fmt.Fprintln(r.out, "VIOLATION", text)
}

func (r *report) violation(format string, args ...any) { r.bad(others, format, args...) }

func (r *report) failed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.violations)
}

// print writes the table.
func (r *report) print(seed uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "\nseed %d, %s\n\n", seed, time.Since(r.begin).Round(time.Second))
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "killed or stopped\t")
	for _, phase := range phases {
		fmt.Fprint(w, phase, "\t")
	}
	fmt.Fprintln(w, "all\t")
	for _, kind := range slices.Sorted(maps.Keys(r.faults)) {
		all := 0
		fmt.Fprint(w, kind, "\t")
		for _, phase := range phases {
			all += r.faults[kind][phase]
			fmt.Fprint(w, r.faults[kind][phase], "\t")
		}
		fmt.Fprint(w, all, "\t\n")
	}
	_ = w.Flush()
	fmt.Fprintln(r.out)
	w = tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, what := range slices.Sorted(maps.Keys(r.counts)) {
		if len(what) > len(perRuntime) && what[:len(perRuntime)] == perRuntime {
			fmt.Fprintf(w, "%s\t%d\n", what, r.counts[what])
		}
	}
	for _, what := range []string{containers, lines, lost, torn, doubled, wrongExits, secondStarts, events, eventGaps, leftovers, others} {
		fmt.Fprintf(w, "%s\t%d\n", what, r.counts[what])
	}
	fmt.Fprintln(w, "\t\nno violations, but counted:\t")
	for _, what := range []string{refused, recovered, gapExits, unsureOutput, shimKills, shimHonest} {
		fmt.Fprintf(w, "%s\t%d\n", what, r.counts[what])
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
