package quirks

import (
	"path/filepath"
	"strconv"
	"strings"
)

// IgnoresTmpfsMode reports whether a runtime gives a tmpfs the mode of the directory that
// it is mounted on, whatever the spec says. path is that of its program, and version what
// that prints.
//
// Versions: runc 1.0 to 1.1.7. Source: prepareTmpfs and mountToRootfs in runc's
// libcontainer. Can go: when runc 1.1 can.
func IgnoresTmpfsMode(path, version string) bool {
	if !strings.HasPrefix(filepath.Base(path), "runc") {
		return false
	}
	version, _, _ = strings.Cut(version, "+")
	major, rest, _ := strings.Cut(version, ".")
	minor, rest, _ := strings.Cut(rest, ".")
	patch, _, _ := strings.Cut(rest, "-")
	numbers := [3]int{}
	for i, text := range []string{major, minor, patch} {
		n, err := strconv.Atoi(text)
		if err != nil {
			return false // a development build
		}
		numbers[i] = n
	}
	return numbers[0] == 1 && (numbers[1] == 0 || numbers[1] == 1 && numbers[2] < 8)
}
