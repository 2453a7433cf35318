package doctor

import (
	"context"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/davit-run/davit/shared/linux"
)

// version is that of a program: 1.4.0-rc.3 is {1, 4, 0, 3}, and a release comes after its
// candidates.
type version [4]int

// release is the last part of the version of what is no candidate.
const release = math.MaxInt

var versionForm = regexp.MustCompile(`\bv?(\d+)\.(\d+)(?:\.(\d+))?(?:[-~]rc\.?(\d+))?([-+~][0-9A-Za-z.+~-]*)?`)

// parseVersion returns the first version in a text. changed reports whether somebody has
// changed what its project has released, as distributions do.
func parseVersion(text string) (v version, shown string, changed, ok bool) {
	m := versionForm.FindStringSubmatch(text)
	if m == nil {
		return v, "", false, false
	}
	for i := range 3 {
		v[i], _ = strconv.Atoi(m[i+1]) // "" is 0
	}
	v[3] = release
	if m[4] != "" {
		v[3], _ = strconv.Atoi(m[4])
	}
	return v, m[0], m[5] != "", true
}

func (v version) before(o version) bool {
	for i := range v {
		if v[i] != o[i] {
			return v[i] < o[i]
		}
	}
	return false
}

// String returns the version as its project writes it.
func (v version) String() string {
	text := strconv.Itoa(v[0]) + "." + strconv.Itoa(v[1]) + "." + strconv.Itoa(v[2])
	if v[3] != release {
		text += "-rc." + strconv.Itoa(v[3])
	}
	return text
}

// askVersion runs a program with --version, and returns what it prints.
func askVersion(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out := linux.Head{Most: 4 << 10}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	return out.String(), err
}
