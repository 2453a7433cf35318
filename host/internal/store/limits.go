package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/davit-run/davit/shared/executor"
)

// Records have limits, since others write what is in them: users, executors, and through
// errors also hooks and runtimes. A list of all containers reads all of their records.
const (
	// maxText is how much of a text is kept, such as the reason of an exit, and of a
	// command, in bytes.
	maxText = 4 << 10
	// maxLabels is how much the labels of a container may take, in bytes.
	maxLabels = 64 << 10
	// keepExits is how many exits of a container are kept, the last ones.
	keepExits = 100
)

// cut returns a text as it is kept.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:end], len(text))
}

// cutCommand returns a command as it is kept. Its container's spec has all of it.
func cutCommand(command []string) []string {
	room := maxText
	for i, arg := range command {
		if room -= len(arg) + 1; room < 0 {
			kept := append([]string(nil), command[:i]...)
			return append(kept, strings.ToValidUTF8(arg[:max(0, len(arg)+room)], "")+"…")
		}
	}
	return command
}

// checkLabels refuses labels that take too much.
func checkLabels(labels map[string]string) error {
	size := 0
	for key, value := range labels {
		size += len(key) + len(value)
	}
	if size > maxLabels {
		return executor.Errorf(executor.Invalid, "the labels have %d bytes, at most %d are allowed; keep what is larger elsewhere, and a reference to it in a label", size, maxLabels)
	}
	return nil
}

// trimExits removes the exits of attempts that are long over.
func (tx *Tx) trimExits(newest executor.Ref) error {
	end := string(exitKey(executor.Ref{ID: newest.ID, Attempt: max(0, newest.Attempt-keepExits)}))
	for _, k := range tx.keysOf(exits, newest.ID) {
		if string(k) > end {
			break
		}
		if err := tx.delete(exits, k); err != nil {
			return err
		}
	}
	return nil
}
