package quirks

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"golang.org/x/sys/unix"
)

// What runc and crun say when the workload's command cannot be started. It is the whole
// message, and has the command in it: hooks, mounts and the working directory are worded
// differently, and can only write a part of a message.
//
// Versions: runc 1.0 to 1.5, crun. Source: runc's libcontainer and Go's os/exec, whose
// words these are; crun's libcrun. Can go: when OCI runtimes report it by a code.

// CommandNotFound reports whether a runtime's message says that there is no such
// command.
func CommandNotFound(message, command string) bool {
	return said(message, command, `no such file or directory|not a directory`, `executable file not found in \$PATH`,
		"executable file [`'\"]COMMAND[`'\"] not found( in \\$PATH)?(: No such file or directory)?")
}

// CommandNotExecutable reports whether a runtime's message says that the command cannot
// be executed.
func CommandNotExecutable(message, command string) bool {
	return said(message, command, `permission denied|is a directory|exec format error|too many levels of symbolic links`, `permission denied`,
		"executable path [`'\"]COMMAND[`'\"] .*not executable"+
			"|exec [`'\"]?COMMAND[`'\"]?: (Permission denied|Exec format error)"+
			"|open executable: Permission denied")
}

// said reports whether a message is one about a command: with one of the reasons, as Go
// words them, or in one of the forms of crun.
func said(message, command, reasons, more, crun string) bool {
	// A command that is no path, and text that is no UTF-8, no runtime has tried.
	if len(command) > unix.PathMax || !utf8.ValidString(command) {
		return false
	}
	message = strings.TrimPrefix(message, "error during container init: ")
	quoted, plain := regexp.QuoteMeta(strconv.Quote(command)), regexp.QuoteMeta(command)
	return regexp.MustCompile(`^exec: `+quoted+`: (`+more+`|(stat `+plain+`: )?(`+reasons+`))$`).MatchString(message) ||
		regexp.MustCompile("^("+strings.ReplaceAll(crun, "COMMAND", plain)+")$").MatchString(message)
}

// What containerd, shims and runtimes put around a message on its way up, and the class
// that gRPC puts behind it.
//
// Versions: containerd 1.6 to 2.4, runc 1.0 to 1.5. Source: fmt.Errorf on each level.
// Can go: never, since people have to read the rest.
var (
	wrapping = runtimes.Regexp(`^(failed to (create|start) (shim task|containerd task|task|shim|container)|OCI runtime (create|start|exec) failed|(runc|crun) (create|start|exec) failed|(start|exec) failed|failed to start exec "[^"]*"|failed to start io pipe copy|unable to copy pipes|containerd-shim|unable to (start|create) (container process|new parent process)|unable to retrieve OCI runtime error \([^()]*\)|(container_linux|process_linux|standard_init_linux)\.go:\d+: [^:]*caused): `)
	classes  = []string{": unknown", ": not found", ": unavailable", ": internal error"}
)

// Plain returns a message without what was wrapped around it.
func Plain(message string) string {
	message = strings.TrimSpace(message)
	for {
		loc := wrapping().FindStringIndex(message)
		if loc == nil {
			break
		}
		message = message[loc[1]:]
	}
	for trimmed := true; trimmed; {
		trimmed = false
		for _, c := range classes {
			if rest, ok := strings.CutSuffix(message, c); ok {
				message, trimmed = rest, true
			}
		}
	}
	return message
}
