package oci

import (
	"context"
	"errors"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// Fault gives an error of containerd a code, and takes from its message what
// containerd and shims wrapped around it. An error that has a code keeps it.
func Fault(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*executor.Error](err); ok {
		return e
	}
	message := plain(err.Error())
	return &executor.Error{Code: codeOf(err, message), Message: message, Err: err}
}

func codeOf(err error, message string) executor.Code {
	switch {
	case commandNotFound().MatchString(message):
		return executor.CommandNotFound
	case commandNotExecutable().MatchString(message):
		return executor.CommandNotExecutable
	case errdefs.IsUnavailable(err):
		return executor.Unavailable
	case errors.Is(err, context.Canceled):
		return executor.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return executor.DeadlineExceeded
	case errdefs.IsInvalidArgument(err):
		return executor.Invalid
	case errdefs.IsFailedPrecondition(err):
		return executor.FailedPrecondition
	}
	// Not found and the like are about containerd's own objects, or about a
	// file that runc missed. They do not say that the container is not there.
	return executor.Internal
}

// What runc and crun say when the workload's command cannot be started. Other
// files that are missing (a mount's source, the working directory) are worded
// differently.
var (
	commandNotFound = runtimes.Regexp(`exec: "[^"]*": (executable file not found in \$PATH|(stat [^:]*: )?no such file or directory)` +
		"|executable file [`'\"][^`'\"]*[`'\"] not found( in \\$PATH)?")
	commandNotExecutable = runtimes.Regexp(`exec: "[^"]*": (permission denied|is a directory|exec format error)` +
		"|executable path [`'\"][^`'\"]*[`'\"] .*not executable|exec [`'\"]?[^:]*: (Permission denied|Exec format error)" +
		"|open executable: Permission denied")
)

var (
	wrapping = runtimes.Regexp(`^(failed to (create|start) (shim task|containerd task|task|shim|container)|OCI runtime (create|start) failed|(runc|crun) (create|start) failed|start failed|failed to start io pipe copy|unable to copy pipes|containerd-shim|unable to (start|create) (container process|new parent process)|(container_linux|process_linux|standard_init_linux)\.go:\d+: [^:]*caused): `)
	classes  = []string{": unknown", ": not found", ": unavailable", ": internal error"}
)

// plain takes the wrapping off a message.
func plain(message string) string {
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
