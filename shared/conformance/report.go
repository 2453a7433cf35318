package conformance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Outcome of a check.
type Outcome string

const (
	Passed  Outcome = "ok"
	Failed  Outcome = "fail"
	Skipped Outcome = "skip"
	// Running is reported to progress when a check begins.
	Running Outcome = "run"
)

// Result is the outcome of one check in one mode.
type Result struct {
	Mode       Mode                `json:"mode"`
	Name       string              `json:"name"`
	Duty       string              `json:"duty"`
	Capability executor.Capability `json:"capability,omitempty"`
	Outcome    Outcome             `json:"outcome"`
	// Reasons say why the check failed, each in a sentence, or why it was
	// skipped.
	Reasons []string `json:"reasons,omitempty"`
	// Hint says where to look, if the check failed.
	Hint string `json:"hint,omitempty"`
	// Log is the end of what the executor logged, if the check failed.
	Log  string        `json:"log,omitempty"`
	Took time.Duration `json:"took_ns,omitempty"`

	blocks string // why no other check can be run any more
}

// Report is the outcome of all checks.
type Report []Result

// Run runs the checks in all modes of target, one after the other. Unless progress is
// nil, it is called twice for each check: when the check begins, with the Outcome
// [Running], and with its result. When the executor cannot be opened, or cannot run
// the simplest workload, the other checks of the mode are skipped. When ctx ends, the
// remaining checks fail. The error is about the target alone: it cannot be tested as
// it stands.
func Run(ctx context.Context, target Target, progress func(Result)) (Report, error) {
	if err := target.validate(); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(Result) {}
	}
	var report Report
	for _, mode := range target.Modes() {
		report = append(report, runMode(ctx, target, mode, progress)...)
	}
	return report, nil
}

func runMode(ctx context.Context, target Target, mode Mode, progress func(Result)) Report {
	var report Report
	blocked := ""
	for _, check := range target.checks(mode) {
		progress(check.result(mode, Running))
		r := check.result(mode, Skipped, blocked)
		if blocked == "" {
			r = check.try(ctx, target, mode)
			blocked = r.blocks
		}
		progress(r)
		report = append(report, r)
	}
	return report
}

// openCheck is the check that all others need.
const openCheck = "open"

// try runs the check in one of target's modes.
func (c Check) try(ctx context.Context, target Target, mode Mode) Result {
	if reason, ok := target.Skip[c.Name]; ok {
		return c.result(mode, Skipped, reason)
	}
	if c.wireOnly && mode == Direct {
		return c.result(mode, Skipped, "the plugin kit does this, and is not in between")
	}
	begin := time.Now()
	target = target.withDefaults()
	t, err := newTrial(ctx, &target, mode)
	if err != nil {
		return c.result(mode, Failed, err.Error())
	}
	skip := t.run(c)
	r := c.result(mode, Passed)
	switch {
	case len(t.reasons) > 0:
		r = c.result(mode, Failed, t.reasons...)
		r.blocks = t.blocks
		for _, s := range t.subjects {
			r.Log += s.link.log()
		}
	case skip != "":
		r = c.result(mode, Skipped, skip)
	}
	t.cleanup()
	r.Took = time.Since(begin)
	return r
}

func (c Check) result(mode Mode, outcome Outcome, reasons ...string) Result {
	r := Result{Mode: mode, Name: c.Name, Duty: c.Duty, Capability: c.Capability, Outcome: outcome, Reasons: reasons}
	if outcome == Failed {
		r.Hint = c.Hint
	}
	return r
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
	t.capability = c.Capability
	c.run(t)
	return ""
}

// Count returns the number of results with an outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, result := range r {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// Summary returns one line about all results.
func (r Report) Summary() string {
	return fmt.Sprintf("%d checks passed, %d failed, %d skipped", r.Count(Passed), r.Count(Failed), r.Count(Skipped))
}

// Where the columns of a result begin.
const (
	nameColumn = 6
	dutyColumn = nameColumn + 22
)

// Text returns a result for people: its name and duty, why it was skipped, and if it
// failed the reasons, the hint and the executor's log. Lines are broken where they
// would be longer than width characters, unless that is 0.
func (r Result) Text(width int) string {
	sentence := r.Duty
	if r.Outcome == Skipped {
		sentence = "skipped: " + strings.Join(r.Reasons, "; ")
	}
	outcome := string(r.Outcome)
	if r.Outcome == Failed {
		outcome = strings.ToUpper(outcome)
	}
	head := fmt.Sprintf("%-*s%-*s", nameColumn, outcome, dutyColumn-nameColumn-1, r.Name)
	text := head + " " + wrap(sentence, width, dutyColumn) + "\n"
	if r.Outcome != Failed {
		return text
	}
	indent := strings.Repeat(" ", nameColumn)
	for _, reason := range r.Reasons {
		text += indent + "- " + wrap(reason, width, nameColumn+2) + "\n"
	}
	text += indent + "hint: " + wrap(r.Hint, width, nameColumn+6) + "\n"
	if r.Log != "" {
		text += indent + "the executor's log:\n"
		for line := range strings.Lines(strings.TrimSpace(r.Log)) {
			text += indent + "  " + strings.TrimSuffix(line, "\n") + "\n"
		}
	}
	return text
}

// wrap breaks a sentence into lines that begin at a column. The first line has begun
// already.
func wrap(sentence string, width, column int) string {
	if width <= column+20 {
		return sentence
	}
	var b strings.Builder
	at := column
	for i, word := range strings.Fields(sentence) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			b.WriteString("\n" + strings.Repeat(" ", column))
			at = column
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}
