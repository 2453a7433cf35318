package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

func addEnv(list *[]string, s string, env func(string) (string, bool)) error {
	v, err := ocispec.ParseEnv(s, env)
	if v != "" {
		*list = append(*list, v)
	}
	return err
}

// readEnv reads a file with a variable on each line.
func readEnv(list *[]string, path string, env func(string) (string, bool)) error {
	return eachLine(path, func(line string) error { return addEnv(list, line, env) })
}

// eachLine calls fn for the lines of a file, which may have any length. It ignores empty
// lines and those that begin with #. There is no quoting.
func eachLine(path string, fn func(line string) error) error {
	file, err := os.Open(path) // may be a pipe, as <(command) is
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, executor.MaxSpecSize+1))
	if err == nil && len(text) > executor.MaxSpecSize {
		err = fmt.Errorf("%s has more than %d bytes, which no spec can hold", path, executor.MaxSpecSize)
	}
	if err != nil {
		return err
	}
	n := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		n++
		line = strings.TrimLeftFunc(strings.TrimSuffix(line, "\r"), unicode.IsSpace)
		if line == "" || line[0] == '#' {
			continue
		}
		err := checkLine(line)
		if err == nil {
			err = fn(line)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return nil
}

// checkLine refuses what docker refuses in such a file, and not in an argument.
func checkLine(line string) error {
	name, _, _ := strings.Cut(line, "=")
	switch {
	case !utf8.ValidString(line):
		return fmt.Errorf("%q is not UTF-8", line)
	case strings.ContainsFunc(name, unicode.IsSpace):
		return fmt.Errorf("the name %q has white space in it", name)
	}
	return nil
}
