// Package diag has the findings about a config: errors in a file, and what an executor
// finds wrong with the settings. It is apart from package config, which reads files, so
// that programs which only show findings need no parser.
package diag

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

// Range is a place in a config file. Lines and columns count from 1. Columns count
// characters as users see them. The end is exclusive. The zero value means no place, and
// a Range with only a File means the whole file.
type Range struct {
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`

	// Text is the whole Line, for display. It stays on the machine that read it.
	Text string `json:"-"`
}

// String returns FILE:LINE,COLUMN.
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

// String returns one line: FILE:LINE,COLUMN: MESSAGE; HINT.
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
// [executor.Invalid]. [Diagnostics.Err] returns nil if all of them are warnings.
type Diagnostics []Diagnostic

// Error returns one line for each finding.
func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the code.
func (ds Diagnostics) Unwrap() error { return executor.Invalid }

// HasErrors reports whether one of ds is more than a warning.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, Diagnostic.isError)
}

// Err returns the errors among ds, or nil if there are none.
func (ds Diagnostics) Err() error {
	if !ds.HasErrors() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(ds), func(d Diagnostic) bool { return !d.isError() })
}

// isError reports whether d is not a warning: an executor may send any severity.
func (d Diagnostic) isError() bool { return d.Severity != executor.SeverityWarning }

// WriteText writes ds for people, with the lines that they are about:
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
		if r := d.Range; r.Text != "" && len(r.Text) <= 200 {
			number := fmt.Sprint(r.Line)
			var marks int
			if r.EndLine == r.Line {
				marks = max(1, r.EndColumn-r.Column)
			} else {
				marks = max(1, utf8.RuneCountInString(r.Text)-r.Column+1)
			}
			fmt.Fprintf(&b, "  %s | %s\n", number, printable(r.Text))
			fmt.Fprintf(&b, "  %*s | %*s%s\n", len(number), "", r.Column-1, "", strings.Repeat("^", marks))
		}
		if hint != "" {
			fmt.Fprintf(&b, "  %s\n", printable(hint))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printable returns text on one line, without characters that could harm a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// Sorted sorts ds by place and returns it. Findings without a place come first.
func (ds Diagnostics) Sorted() Diagnostics {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Range.File, b.Range.File),
			cmp.Compare(a.Range.Line, b.Range.Line),
			cmp.Compare(a.Range.Column, b.Range.Column),
		)
	})
	return ds
}

// Fail adds an error.
func (ds *Diagnostics) Fail(at Range, hint, format string, args ...any) {
	*ds = append(*ds, Diagnostic{
		Severity: executor.SeverityError, Range: at, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}
