package config

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/davit-run/davit/shared/executor"
)

// Range is a place in a config file. Lines and columns count from 1; columns
// count characters as they are seen. The end is exclusive. The zero value means
// no place, and a Range with a File alone the file as a whole.
type Range struct {
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`

	text string // of the whole Line
}

// String gives FILE:LINE,COLUMN.
func (r Range) String() string {
	if r.Line == 0 {
		return r.File
	}
	return fmt.Sprintf("%s:%d,%d", r.File, r.Line, r.Column)
}

// Diagnostic is a finding about a config.
type Diagnostic struct {
	Severity executor.Severity `json:"severity"`
	Range    Range             `json:"range,omitzero"`
	// Message says what is wrong, Hint what to do about it.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// String gives one line: FILE:LINE,COLUMN: MESSAGE; HINT.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.Range.File != "" {
		b.WriteString(d.Range.String() + ": ")
	}
	if d.Severity == executor.SeverityWarning {
		b.WriteString("warning: ")
	}
	b.WriteString(d.Message)
	if d.Hint != "" {
		b.WriteString("; " + d.Hint)
	}
	return printable(b.String())
}

// Diagnostics are findings in the order of their places. As an error they are
// [executor.Invalid]; use [Diagnostics.Err] to tell findings from errors.
type Diagnostics []Diagnostic

// Error gives one line for each finding.
func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the code.
func (ds Diagnostics) Unwrap() error { return executor.Invalid }

// HasErrors reports whether one of ds is more than a warning.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, Diagnostic.isError)
}

// Err gives the errors among ds, or nil if there are none.
func (ds Diagnostics) Err() error {
	if !ds.HasErrors() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(ds), func(d Diagnostic) bool { return !d.isError() })
}

// isError takes what is no warning for an error: an executor may send anything.
func (d Diagnostic) isError() bool { return d.Severity != executor.SeverityWarning }

// WriteText writes ds for a terminal, with the lines that they are about:
//
//	davit.hcl:12,5: unknown attribute "systemd_cgrop" in runtime "crun" options
//	  12 |     systemd_cgrop = true
//	     |     ^^^^^^^^^^^^^
//	  did you mean "systemd_cgroup"?
func (ds Diagnostics) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, d := range ds {
		hint := d.Hint
		d.Hint = ""
		fmt.Fprintln(&b, d)
		if r := d.Range; r.text != "" && len(r.text) <= 200 {
			number := fmt.Sprint(r.Line)
			var marks int
			if r.EndLine == r.Line {
				marks = max(1, r.EndColumn-r.Column)
			} else {
				marks = max(1, utf8.RuneCountInString(r.text)-r.Column+1)
			}
			fmt.Fprintf(&b, "  %s | %s\n", number, printable(r.text))
			fmt.Fprintf(&b, "  %*s | %*s%s\n", len(number), "", r.Column-1, "", strings.Repeat("^", marks))
		}
		if hint != "" {
			fmt.Fprintf(&b, "  %s\n", printable(hint))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printable makes text from files and executors safe for a terminal and keeps it
// on one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// sorted sorts ds by place. Those without one come first.
func (ds Diagnostics) sorted() Diagnostics {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Range.File, b.Range.File),
			cmp.Compare(a.Range.Line, b.Range.Line),
			cmp.Compare(a.Range.Column, b.Range.Column),
		)
	})
	return ds
}

// fail adds an error.
func (ds *Diagnostics) fail(at Range, hint, format string, args ...any) {
	*ds = append(*ds, Diagnostic{
		Severity: executor.SeverityError, Range: at, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}
