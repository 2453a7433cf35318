package cli

import (
	"strings"
	"unicode/utf8"
)

// Wrap returns text as lines of at most width columns, as far as its words allow that. The
// first line begins with head, and the others with indent.
func Wrap(head, indent string, width int, text string) string {
	var b strings.Builder
	b.WriteString(head)
	column, first := utf8.RuneCountInString(head), true
	for word := range strings.FieldsSeq(Printable(text)) {
		length := utf8.RuneCountInString(word)
		switch {
		case first:
		case column+1+length > width:
			b.WriteString("\n" + indent)
			column = utf8.RuneCountInString(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column, first = column+length, false
	}
	b.WriteByte('\n')
	return b.String()
}
