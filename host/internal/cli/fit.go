package cli

import (
	"os"
	"slices"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// columnGap is the space between the columns of a table.
const columnGap = 3

// terminalWidth returns how many columns a terminal has, or 0 if w is none.
func terminalWidth(w any) int {
	if f, ok := w.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil {
			return int(size.Col)
		}
	}
	return 0
}

// leastColumn is the width to which a column is shortened at most.
const leastColumn = 12

// fit makes a table fit a terminal, whose lines would otherwise be wrapped. It shortens the
// first of the columns in shorter. If that does not do, it leaves out those in dispensable, in
// their order, as far as needed, and then shortens all in shorter.
func fit(width int, header []string, rows [][]string, shorter, dispensable []string) ([]string, [][]string) {
	for {
		over := tableWidth(header, rows) - width
		first := -1
		if len(shorter) > 0 {
			first = slices.Index(header, shorter[0])
		}
		if over <= 0 || len(dispensable) == 0 || first >= 0 && columnWidth(header, rows, first)-over >= leastColumn {
			break
		}
		if at := slices.Index(header, dispensable[0]); at >= 0 {
			header = slices.Delete(slices.Clone(header), at, at+1)
			for i := range rows {
				rows[i] = slices.Delete(rows[i], at, at+1)
			}
		}
		dispensable = dispensable[1:]
	}
	for _, name := range shorter {
		over, at := tableWidth(header, rows)-width, slices.Index(header, name)
		if over <= 0 || at < 0 {
			continue
		}
		room := max(columnWidth(header, rows, at)-over, leastColumn)
		for _, row := range rows {
			row[at] = shorten(row[at], room)
		}
	}
	return header, rows
}

func tableWidth(header []string, rows [][]string) int {
	width := -columnGap
	for i := range header {
		width += columnWidth(header, rows, i) + columnGap
	}
	return width
}

func columnWidth(header []string, rows [][]string, at int) int {
	width := utf8.RuneCountInString(header[at])
	for _, row := range rows {
		width = max(width, utf8.RuneCountInString(row[at]))
	}
	return width
}
