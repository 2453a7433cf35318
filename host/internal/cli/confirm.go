package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// confirm asks whether to go on, and reports whether the answer is yes.
func (a *App) confirm(warning string) bool {
	if a.Stdin == nil {
		return false
	}
	fmt.Fprintf(a.Stderr, "%s\nGo on? [y/N] ", warning)
	answer, _ := bufio.NewReader(a.Stdin).ReadString('\n') // none is no
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// sure asks before a removal, unless it is sure already, and returns an error if the answer
// is not yes.
func (a *App) sure(already bool, warning string) error {
	if already || a.confirm(warning) {
		return nil
	}
	return errors.New("nothing is removed; to do so without being asked, use --force")
}

// unaskedFlag registers --force for a command that never asks, since those of docker do.
func unaskedFlag(fs *pflag.FlagSet) {
	fs.BoolP("force", "f", false, "as without it: nothing is asked")
}
