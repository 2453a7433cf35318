package main

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

// format is how a listing is printed.
type format string

const (
	asTable format = "table"
	asJSON  format = "json"
)

// formatFlag adds --format to a command.
func formatFlag(cmd *cobra.Command) *format {
	f := asTable
	cmd.Flags().Var(&f, "format", "print a `table|json`")
	cmd.Flags().BoolFunc("json", "short for --format json", func(string) error { return f.Set(string(asJSON)) })
	return &f
}

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "format" }

// Set implements pflag.Value.
func (f *format) Set(s string) error {
	if s != string(asTable) && s != string(asJSON) {
		return fmt.Errorf("use %s or %s", asTable, asJSON)
	}
	*f = format(s)
	return nil
}

// printJSON prints a value for programs.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printTable prints rows for people. Empty cells become a dash.
func printTable(w io.Writer, header []string, rows [][]string) error {
	whole := bufio.NewWriter(w) // tabwriter writes each cell on its own
	tw := tabwriter.NewWriter(whole, 0, 0, 3, ' ', 0)
	fmt.Fprintln(tw, strings.Join(header, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				cell = "-"
			}
			row[i] = printable(cell)
		}
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return whole.Flush()
}

// printable makes text from elsewhere safe for a terminal, on one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// shorten cuts a text to a number of characters.
func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// commandLine gives a command as one would type it.
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

// since gives the time from then to now in its largest unit, such as 5s or 3h.
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

// yes marks what is so.
func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

// number gives a number, or nothing for zero.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
