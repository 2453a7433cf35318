package cli

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// leastText is the width of the last column below which its text is not wrapped.
const leastText = 16

// PrintTable prints rows as a table. Empty cells become a dash. If lines would be longer than
// those of the terminal that w is, the text of the last column is wrapped within it.
func PrintTable(w io.Writer, header []string, rows [][]string) error {
	whole := bufio.NewWriter(w) // tabwriter writes each cell on its own
	tw := tabwriter.NewWriter(whole, 0, 0, columnGap, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				cell = "-"
			}
			row[i] = Printable(cell)
		}
	}
	for _, row := range wrapLast(terminalWidth(w), slices.Concat([][]string{header}, rows)) {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return whole.Flush()
}

// PrintFitted prints rows as PrintTable does. Where w is a terminal that is too narrow, the
// columns in shorter are shortened, and those in dispensable left out.
func PrintFitted(w io.Writer, header []string, rows [][]string, shorter, dispensable []string) error {
	if width := terminalWidth(w); width > 0 && len(shorter)+len(dispensable) > 0 {
		header, rows = fit(width, header, rows, shorter, dispensable)
	}
	return PrintTable(w, header, rows)
}

// wrapLast returns rows, of which the first is the header, with the last column's text wrapped
// so that a table has at most width columns, if that is possible. A width of 0 is no bound.
func wrapLast(width int, rows [][]string) [][]string {
	header := rows[0]
	last := len(header) - 1
	over := tableWidth(header, rows) - width
	room := columnWidth(header, rows, last) - over
	if width <= 0 || over <= 0 || room < max(leastText, utf8.RuneCountInString(header[last])) {
		return rows
	}
	var wrapped [][]string
	for _, row := range rows {
		for i, line := range wrapText(row[last], room) {
			cells := make([]string, last, len(header))
			if i == 0 {
				copy(cells, row)
			}
			wrapped = append(wrapped, append(cells, line))
		}
	}
	return wrapped
}

// wrapText returns text as lines of at most width characters. A word that is longer is cut.
func wrapText(text string, width int) (lines []string) {
	for line := range strings.Lines(Wrap("", "", width, text)) {
		rest := []rune(strings.TrimSuffix(line, "\n"))
		for len(rest) > width {
			lines = append(lines, string(rest[:width]))
			rest = rest[width:]
		}
		lines = append(lines, string(rest))
	}
	return lines
}
