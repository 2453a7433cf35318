package cli

import (
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
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

// wrapHelp wraps the help texts of a command and of those below it.
func wrapHelp(cmd *cobra.Command, width int) {
	cmd.Long = wrapParagraphs(cmd.Long, width)
	for _, c := range cmd.Commands() {
		wrapHelp(c, width)
	}
}

// wrapParagraphs wraps each paragraph of a text, but for those that are indented.
func wrapParagraphs(text string, width int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if p != "" && !strings.HasPrefix(p, " ") {
			paragraphs[i] = strings.TrimSuffix(Wrap("", "", width, strings.ReplaceAll(p, "\n", " ")), "\n")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
