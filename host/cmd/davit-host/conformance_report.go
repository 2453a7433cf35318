package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/internal/cli"
	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// conformanceReport shows the results of checks as they come.
type conformanceReport struct {
	w     io.Writer
	form  cli.Format
	info  host.ExecutorInfo
	begun time.Time
	width int // of the terminal, 0 if there is none
}

func newConformanceReport(w io.Writer, form cli.Format, info host.ExecutorInfo) *conformanceReport {
	r := &conformanceReport{w: w, form: form, info: info, begun: time.Now(), width: terminalWidth(w)}
	if form == cli.AsTable && info.Name != "" {
		fmt.Fprintf(w, "%s %s, protocol %d, %s\n\n", cli.Printable(info.Name), cli.Printable(info.Version), info.Protocol, cli.Printable(info.Path))
	}
	return r
}

// terminalWidth returns the number of columns of a terminal, or 0.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// show prints a result, or on a terminal the check that has begun.
func (c *conformanceReport) show(r conformance.Result) error {
	const eraseLine = "\r\033[K"
	var text string
	switch begins := r.Outcome == conformance.Running; {
	case c.form == cli.AsJSON || begins && c.width == 0:
		return nil
	case begins:
		text = fmt.Sprintf("%-5s %s …", r.Outcome, r.Name)
	case c.width > 0:
		text = eraseLine + printableLines(r.Text(c.width))
	default:
		text = printableLines(r.Text(0))
	}
	_, err := io.WriteString(c.w, text)
	return err
}

// end prints the summary.
func (c *conformanceReport) end(report conformance.Report) error {
	capabilities := capabilityOutcomes(report)
	if c.form == cli.AsJSON {
		return cli.PrintJSON(c.w, map[string]any{
			"executor":     c.info,
			"passed":       report.Count(conformance.Passed),
			"failed":       report.Count(conformance.Failed),
			"skipped":      report.Count(conformance.Skipped),
			"capabilities": capabilities,
			"results":      report,
		})
	}
	fmt.Fprintf(c.w, "\n%s, in %s\n", report.Summary(), time.Since(c.begun).Round(100*time.Millisecond))
	var words []string
	for _, outcome := range capabilities {
		words = append(words, string(outcome.Name)+" "+outcome.Outcome)
	}
	if len(words) > 0 {
		fmt.Fprintf(c.w, "capabilities: %s\n", strings.Join(words, ", "))
	}
	if slices.ContainsFunc(report, func(r conformance.Result) bool {
		return r.Name == "create" && r.Outcome == conformance.Failed
	}) {
		fmt.Fprintln(c.w, "No workload ran. For executors that do not run OCI containers on Linux, see --process and --spec.")
	}
	return nil
}

// capabilityOutcome is the outcome of all checks of a capability.
type capabilityOutcome struct {
	Name    executor.Capability `json:"name"`
	Outcome string              `json:"outcome"` // "ok", "failed" or "not declared"
}

func capabilityOutcomes(report conformance.Report) []capabilityOutcome {
	var all []capabilityOutcome
	for _, r := range report {
		if r.Capability == "" {
			continue
		}
		i := slices.IndexFunc(all, func(o capabilityOutcome) bool { return o.Name == r.Capability })
		if i < 0 {
			i = len(all)
			all = append(all, capabilityOutcome{Name: r.Capability, Outcome: "not declared"})
		}
		switch {
		case r.Outcome == conformance.Failed:
			all[i].Outcome = "failed"
		case r.Outcome == conformance.Passed && all[i].Outcome != "failed":
			all[i].Outcome = "ok"
		}
	}
	return all
}

// listChecks prints the duties of executors.
func listChecks(a *cli.App, form cli.Format) error {
	type check struct {
		Name       string              `json:"name"`
		Duty       string              `json:"duty"`
		Hint       string              `json:"hint"`
		Capability executor.Capability `json:"capability,omitempty"`
	}
	var checks []check
	var rows [][]string
	for _, c := range conformance.Checks() {
		checks = append(checks, check{c.Name, c.Duty, c.Hint, c.Capability})
		rows = append(rows, []string{c.Name, string(c.Capability), c.Duty})
	}
	if form == cli.AsJSON {
		return cli.PrintJSON(a.Stdout, checks)
	}
	return cli.PrintTable(a.Stdout, []string{"CHECK", "CAPABILITY", "DUTY"}, rows)
}

// printableLines returns text without characters that could harm a terminal.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = cli.Printable(line)
	}
	return strings.Join(lines, "\n")
}
