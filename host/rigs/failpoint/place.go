package failpoint

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Place names a place at a seam. Without a what it is named for the function that
// comes to the seam. It is "" in processes that are not to strike.
func Place(seam, what string) string {
	part := part(filepath.Base(os.Args[0]))
	if part == "" {
		return ""
	}
	if part != "host" && (seam == "call" || seam == "ask" || seam == "try") {
		part = "kit"
	}
	if what == "" {
		what = Caller()
	}
	return part + "." + seam + "." + clean(what)
}

// Unless returns a place, or "" if a seam is elsewhere.
func Unless(elsewhere bool, place string) string {
	if elsewhere {
		return ""
	}
	return place
}

// part distinguishes the host and executors, by the name that they were started under, from
// clients, monitors and shims.
func part(program string) string {
	if program == "davit" {
		return "host"
	}
	name, _ := strings.CutPrefix(program, "davit-executor-")
	if name == program {
		return ""
	}
	return name
}

var (
	ids      = regexp.MustCompile(`[0-9a-f]{8,}`)
	programs = regexp.MustCompile(`davit-executor-[a-z]+`)
	unusable = regexp.MustCompile(`[^A-Za-z0-9]+`)
)

// clean makes a part of a place's name. Ids would make places that are met once, and
// names of programs some that are met on one backend.
func clean(what string) string {
	what = programs.ReplaceAllString(ids.ReplaceAllString(what, "id"), "program")
	return strings.Trim(unusable.ReplaceAllString(what, "-"), "-")
}

// plumbing matches functions that lie between a seam and who comes to it.
var plumbing = regexp.MustCompile(`^github\.com/davit-run/davit/(host/rigs/|host/internal/store\.|shared/(transport|plugin|linux|keyed)\.|executors/shim\.\(\*task\)|executors/containerd\.newConn)`)

// closures match what the compiler adds to the name of a function for those in it.
var closures = regexp.MustCompile(`(\.func\d+|\.gowrap\d+|-fm|\[\.\.\.\])(\.\d+)*$`)

// Caller returns the name of the function of davit's that comes to the seam.
func Caller() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "github.com/davit-run/davit/") && !plumbing.MatchString(frame.Function) {
			name := frame.Function
			for short := closures.ReplaceAllString(name, ""); short != name; short = closures.ReplaceAllString(name, "") {
				name = short
			}
			return name[strings.LastIndexByte(name, '.')+1:]
		}
		if !more {
			return "nobody"
		}
	}
}
