package conformance

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Outcome of a check.
type Outcome string

const (
	Passed  Outcome = "pass"
	Failed  Outcome = "FAIL"
	Skipped Outcome = "skip"
)

// Result is the outcome of one check in one mode.
type Result struct {
	Mode    Mode
	Name    string
	Duty    string
	Outcome Outcome
	// Reasons say why the check failed, each in a sentence, or why it was
	// skipped.
	Reasons []string
	// Log is the end of what the executor logged, if the check failed.
	Log  string
	Took time.Duration
}

// Report is the outcome of all checks.
type Report []Result

// Run makes all checks in all modes of target, one after the other. Each result
// is given to progress, which may be nil, as soon as it is there. When the
// executor cannot even be opened, the other checks of the mode are skipped. An
// end of ctx fails the checks that are left. The error is about the target
// alone: it cannot be tested as it stands.
func Run(ctx context.Context, target Target, progress func(Result)) (Report, error) {
	if err := target.validate(); err != nil {
		return nil, err
	}
	var report Report
	for _, mode := range target.Modes() {
		report = append(report, runMode(ctx, target, mode, progress)...)
	}
	return report, nil
}

func runMode(ctx context.Context, target Target, mode Mode, progress func(Result)) Report {
	var report Report
	unusable := false
	for _, check := range Checks() {
		r := check.skipped(mode, cannotOpen)
		if !unusable {
			r = check.try(ctx, target, mode)
			unusable = check.Name == openCheck && r.Outcome == Failed
		}
		if progress != nil {
			progress(r)
		}
		report = append(report, r)
	}
	return report
}

// openCheck is the check that all others need.
const (
	openCheck  = "open"
	cannotOpen = "the executor could not be opened"
)

// try makes the check in one of target's modes.
func (c Check) try(ctx context.Context, target Target, mode Mode) Result {
	if reason, ok := target.Skip[c.Name]; ok {
		return c.skipped(mode, reason)
	}
	if c.wireOnly && mode == Direct {
		return c.skipped(mode, "the plugin kit does this, and is not in between")
	}
	begin := time.Now()
	target = target.withDefaults()
	t, err := newTrial(ctx, &target, mode)
	if err != nil {
		return Result{Mode: mode, Name: c.Name, Duty: c.Duty, Outcome: Failed, Reasons: []string{err.Error()}}
	}
	skip := t.run(c)
	r := Result{Mode: mode, Name: c.Name, Duty: c.Duty, Outcome: Passed, Reasons: t.reasons}
	switch {
	case len(t.reasons) > 0:
		r.Outcome = Failed
		for _, s := range t.subjects {
			r.Log += s.link.log()
		}
	case skip != "":
		r = c.skipped(mode, skip)
	}
	t.cleanup()
	r.Took = time.Since(begin)
	return r
}

func (c Check) skipped(mode Mode, reason string) Result {
	return Result{Mode: mode, Name: c.Name, Duty: c.Duty, Outcome: Skipped, Reasons: []string{reason}}
}

// run runs the check to its end, whatever that is.
func (t *trial) run(c Check) (skip string) {
	defer func() {
		if p := recover(); p != nil {
			a, ok := p.(abandoned)
			if !ok {
				panic(p)
			}
			skip = a.skip
		}
	}()
	c.run(t)
	return ""
}

// Count gives the number of results with an outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, result := range r {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// Summary is one line about all results.
func (r Report) Summary() string {
	return fmt.Sprintf("%d checks passed, %d failed, %d skipped", r.Count(Passed), r.Count(Failed), r.Count(Skipped))
}

// Write writes a result for people: a line, and if the check failed its duty,
// the reasons and the executor's log.
func (r Result) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-10s %-20s", r.Outcome, r.Mode, r.Name)
	switch r.Outcome {
	case Skipped:
		fmt.Fprintf(&b, " %s\n", strings.Join(r.Reasons, "; "))
	case Passed:
		fmt.Fprintf(&b, " %s\n", r.Took.Round(time.Millisecond))
	default:
		fmt.Fprintf(&b, " %s\n      duty: %s\n", r.Took.Round(time.Millisecond), r.Duty)
		for _, reason := range r.Reasons {
			fmt.Fprintf(&b, "      - %s\n", reason)
		}
		if r.Log != "" {
			fmt.Fprintf(&b, "      the executor's log:\n        %s\n", strings.ReplaceAll(strings.TrimSpace(r.Log), "\n", "\n        "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
