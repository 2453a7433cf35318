package storm

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// Result is what came of a row, as it is written to a file.
type Result struct {
	Row, About string
	Seed       uint64
	Full       bool
	Versions   []string
	Begin      time.Time
	Seconds    int
	// Faults are counted by kind and phase, Counts by what is counted; Violations
	// are those of the invariants, by invariant, and Details say what they were.
	Faults     map[string]map[string]int
	Counts     map[string]int
	Slowest    map[string]float64 // in seconds
	Violations map[string]int
	Details    []string
}

// finish prints a report and writes its file.
func (r *report) finish(opts Options, row row) error {
	r.print()
	if opts.Results == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	res := Result{
		Row: row.name, About: row.about, Seed: opts.Seed, Full: opts.Full, Versions: r.versions,
		Begin: r.begin.UTC(), Seconds: int(time.Since(r.begin).Seconds()),
		Faults: r.faults, Counts: map[string]int{}, Slowest: map[string]float64{}, Violations: map[string]int{}, Details: r.violations,
	}
	maps.Copy(res.Counts, r.counts)
	for what, d := range r.slowest {
		res.Slowest[what] = d.Seconds()
	}
	for _, what := range invariants {
		delete(res.Counts, what)
		if n := r.counts[what]; n > 0 {
			res.Violations[what] = n
		}
	}
	text, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(opts.Results, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(opts.Results, row.name+".json"), append(text, '\n'), 0o644)
}
