package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Format is how a listing is printed: AsTable, AsJSON, or a template where the flag allows it.
type Format string

const (
	AsTable Format = "table"
	AsJSON  Format = "json"
)

// FormatFlag adds --format to a command.
func FormatFlag(cmd *cobra.Command) *Format {
	f := AsTable
	cmd.Flags().Var(&f, "format", "print a `table|json`")
	cmd.Flags().BoolFunc("json", "short for --format json", func(string) error { return f.Set(string(AsJSON)) })
	return &f
}

// listFormat is the Format of a command that takes templates.
type listFormat struct{ *Format }

// listFormatFlag adds --format to a command that lists what a template can be given for.
func listFormatFlag(cmd *cobra.Command) *Format {
	f := FormatFlag(cmd)
	flag := cmd.Flags().Lookup("format")
	flag.Value, flag.Usage = listFormat{f}, "print a table, json, or what a Go `TEMPLATE` makes of each, such as '{{.ID}}'"
	return f
}

// Set implements pflag.Value.
func (f listFormat) Set(s string) error {
	switch form := Format(s); {
	case s == string(AsTable), s == string(AsJSON):
	case !strings.Contains(s, "{{"):
		return fmt.Errorf("use %s, %s or a template such as '{{.ID}}'", AsTable, AsJSON)
	default:
		if _, _, err := form.parse(); err != nil {
			return err
		}
	}
	*f.Format = Format(s)
	return nil
}

// String implements pflag.Value.
func (f *Format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *Format) Type() string { return "format" }

// Set implements pflag.Value.
func (f *Format) Set(s string) error {
	if s != string(AsTable) && s != string(AsJSON) {
		return fmt.Errorf("use %s or %s", AsTable, AsJSON)
	}
	*f = Format(s)
	return nil
}

// PrintJSON prints a value as indented JSON.
func PrintJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// PrintTable prints rows as a table. Empty cells become a dash.
func PrintTable(w io.Writer, header []string, rows [][]string) error {
	whole := bufio.NewWriter(w) // tabwriter writes each cell on its own
	tw := tabwriter.NewWriter(whole, 0, 0, 3, ' ', 0)
	fmt.Fprintln(tw, strings.Join(header, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				cell = "-"
			}
			row[i] = Printable(cell)
		}
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return whole.Flush()
}

// Printable returns text on one line, without characters that could harm a terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// shorten cuts a text to at most most characters.
func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// commandLine returns a command as a user would type it.
func commandLine(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if arg == "" || strings.ContainsFunc(arg, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(" \"'\\$`", r) }) {
			quoted[i] = strconv.Quote(arg)
		}
	}
	return strings.Join(quoted, " ")
}

// since returns the time from then to now in its largest unit, such as 5s or 3h.
func since(then, now time.Time) string {
	d := max(now.Sub(then), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// yes returns "yes" for true, and nothing for false.
func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

// Number returns a number, or nothing for zero.
func Number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
