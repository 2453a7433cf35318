package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/docker/go-units"
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

// since returns the time from then to now in its largest unit, such as 5s or 3h. All tables
// say it so: words such as "About an hour" leave no room for the rest.
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
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	if d < 2*year {
		return fmt.Sprintf("%dd", d/day)
	}
	return fmt.Sprintf("%dy", d/year)
}

// in returns when something is to happen: in 5s, or now.
func in(then, now time.Time) string {
	if then.Sub(now) < time.Second {
		return "now"
	}
	return "in " + since(now, then)
}

// ago returns how long ago something was, or nothing if that is not known. Templates have
// what docker says, which is longer; see agoInWords.
func ago(then, now time.Time) string {
	if then.IsZero() || then.Unix() <= 0 {
		return ""
	}
	return since(then, now) + " ago"
}

// agoInWords returns how long ago something was as docker says it, or nothing if that is not
// known.
func agoInWords(then, now time.Time) string {
	if then.IsZero() || then.Unix() <= 0 {
		return ""
	}
	return units.HumanDuration(now.Sub(then)) + " ago"
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
