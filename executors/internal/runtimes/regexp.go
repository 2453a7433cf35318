package runtimes

import (
	"regexp"
	"sync"
)

// Regexp returns a regular expression that is compiled when it is first needed. A
// program that is started for every container cannot afford to compile those
// that it may never use.
func Regexp(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
