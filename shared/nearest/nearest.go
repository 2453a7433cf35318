// Package nearest finds the name that was meant when an unknown one was written.
//
// A slip is a letter too many, one too few, another one, or two that changed
// places. Two slips are allowed, one in names of up to four letters, and none in a
// single letter. Upper and lower case are the same, and so are - and _.
package nearest

import "strings"

// Name returns the name that was most likely meant, and "" if none is near. Of
// several it is the last.
func Name(written string, names []string) string {
	near := Names(written, names)
	if len(near) == 0 {
		return ""
	}
	return near[len(near)-1]
}

// Names returns the names that are as near as the nearest one, in their order.
func Names(written string, names []string) []string {
	var near []string
	least := 2
	for _, name := range names {
		d := distance(fold(written), fold(name))
		if d > least || d > (len(name)+1)/3 {
			continue
		}
		if d < least {
			least, near = d, nil
		}
		near = append(near, name)
	}
	return near
}

func fold(name string) []rune {
	return []rune(strings.ReplaceAll(strings.ToLower(name), "-", "_"))
}

// distance counts the slips between two names.
func distance(a, b []rune) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range b {
			differ := 1
			if a[i] == b[j] {
				differ = 0
			}
			row[j+1] = min(above[j]+differ, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
