package doctor

import (
	"slices"
	"strings"
)

// hole is a known hole of an OCI runtime.
type hole struct {
	program, id string
	// from is the first version that has it; the zero value is all. fixed are the first
	// versions without it, each for the versions of its branch, MAJOR.MINOR; the last one is
	// for all that are later.
	from  version
	fixed []version
	// escape means that a container gets out by it, and does as it likes.
	escape bool
	// what says what it lets somebody do.
	what string
}

// v1 returns the version 1.MINOR.PATCH, or a candidate for it.
func v1(minor, patch int, candidate ...int) version {
	if len(candidate) > 0 {
		return version{1, minor, patch, candidate[0]}
	}
	return version{1, minor, patch, release}
}

// holes are those of the runtimes that davit is tested with, the newest first.
//
// Sources: CHANGELOG.md of github.com/opencontainers/runc and, for those before 1.0, the notes
// of its tags; NEWS of github.com/containers/crun; and the advisories that these name. The
// first version with CVE-2024-21626 is from GHSA-xr7r-f8xq-vfvv.
var holes = []hole{
	{"runc", "CVE-2026-41579", version{}, []version{v1(3, 6), v1(4, 3), v1(5, 0, 3)}, false, "an image writes a little to the machine"},
	{"runc", "CVE-2025-31133", version{}, []version{v1(2, 8), v1(3, 3), v1(4, 0, 3)}, true, "masked files of /proc are written to"},
	{"runc", "CVE-2025-52565", v1(0, 0, 3), []version{v1(2, 8), v1(3, 3), v1(4, 0, 3)}, true, "files of /proc are written to by way of /dev/console"},
	{"runc", "CVE-2025-52881", version{}, []version{v1(2, 8), v1(3, 3), v1(4, 0, 3)}, true, "labels of AppArmor and SELinux are avoided, and /proc is written to"},
	{"runc", "CVE-2024-45310", version{}, []version{v1(1, 14), v1(2, 0, 3)}, false, "a container makes empty files on the machine"},
	{"runc", "CVE-2024-21626", v1(0, 0, 93), []version{v1(1, 12), v1(2, 0, 1)}, true, "a leaked descriptor leads to the machine's files"},
	{"runc", "CVE-2023-28642", v1(0, 0, 95), []version{v1(1, 5)}, false, "AppArmor is avoided"},
	{"runc", "CVE-2023-27561", v1(0, 0, 95), []version{v1(1, 5)}, false, "AppArmor and SELinux are avoided"},
	{"runc", "CVE-2022-29162", version{}, []version{v1(1, 2)}, false, "exec gives inheritable capabilities"},
	{"runc", "CVE-2021-30465", version{}, []version{v1(0, 0, 95)}, true, "a volume is mounted from outside of the root file system"},
	{"runc", "CVE-2019-19921", version{}, []version{v1(0, 0, 10)}, false, "AppArmor and SELinux are avoided"},
	{"runc", "CVE-2019-16884", version{}, []version{v1(0, 0, 9)}, false, "an image avoids AppArmor"},
	{"runc", "CVE-2019-5736", version{}, []version{v1(0, 0, 7)}, true, "a container replaces runc itself"},
	{"crun", "CVE-2026-47766", version{}, []version{v1(28, 0)}, false, "a link in place of /dev is followed"},
	{"crun", "CVE-2026-30892", version{}, []version{v1(27, 0)}, false, "exec -u runs as another user than it says"},
	{"crun", "CVE-2025-24965", version{}, []version{v1(20, 0)}, false, "krun writes outside of the root file system"},
	{"crun", "CVE-2022-27650", version{}, []version{v1(4, 4)}, false, "exec gives inheritable capabilities"},
}

// in reports whether a version has the hole.
func (h hole) in(v version) bool {
	if v.before(h.from) {
		return false
	}
	for _, f := range h.fixed {
		if v[0] == f[0] && v[1] == f[1] {
			return v.before(f)
		}
	}
	return v.before(h.fixed[len(h.fixed)-1])
}

// remedy returns the versions without some holes, of each branch that has them all fixed.
func remedy(found []hole) string {
	var branches []version
	for _, h := range found {
		for _, f := range h.fixed {
			if !slices.ContainsFunc(branches, func(b version) bool { return b[0] == f[0] && b[1] == f[1] }) {
				branches = append(branches, f)
			}
		}
	}
	var good []version
	for _, b := range branches {
		for _, h := range found {
			for _, f := range h.fixed { // the latest of the branch that any of them needs
				if f[0] == b[0] && f[1] == b[1] && b.before(f) {
					b = f
				}
			}
		}
		if !slices.ContainsFunc(found, func(h hole) bool { return h.in(b) }) {
			good = append(good, b)
		}
	}
	slices.SortFunc(good, func(a, b version) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	texts := make([]string, len(good))
	for i, b := range good {
		texts[i] = b.String()
	}
	if n := len(texts); n > 1 {
		return strings.Join(texts[:n-1], ", ") + " or " + texts[n-1]
	}
	return strings.Join(texts, "")
}

// holesOf returns the holes that a version of a program has.
func holesOf(program string, v version) (found []hole) {
	for _, h := range holes {
		if h.program == program && h.in(v) {
			found = append(found, h)
		}
	}
	return found
}
