package oci

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/shared/executor"
)

func TestFault(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     error
		code    executor.Code
		message string
	}{
		{"runc-1.1-path", errors.New(`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown`), executor.CommandNotFound, `exec: "nope": executable file not found in $PATH`},
		{"runc-1.1-absolute", errors.New(`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/nope": stat /nope: no such file or directory: unknown`), executor.CommandNotFound, `exec: "/nope": stat /nope: no such file or directory`},
		{"runc-1.5", errors.New(`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "/nope": stat /nope: no such file or directory: unknown`), executor.CommandNotFound, `error during container init: exec: "/nope": stat /nope: no such file or directory`},
		{"runc-not-executable", errors.New(`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/etc/passwd": permission denied: unknown`), executor.CommandNotExecutable, `exec: "/etc/passwd": permission denied`},
		{"runc-directory", errors.New(`OCI runtime create failed: unable to start container process: exec: "/etc": is a directory: unknown`), executor.CommandNotExecutable, `exec: "/etc": is a directory`},
		{"crun-path", errors.New("failed to create shim task: OCI runtime create failed: executable file `nope` not found in $PATH: No such file or directory: unknown"), executor.CommandNotFound, "executable file `nope` not found in $PATH: No such file or directory"},
		{"crun-absolute", errors.New("OCI runtime create failed: executable file `/nope` not found: No such file or directory: unknown"), executor.CommandNotFound, "executable file `/nope` not found: No such file or directory"},
		{"crun-not-executable", errors.New("OCI runtime create failed: open executable: Permission denied: unknown"), executor.CommandNotExecutable, "open executable: Permission denied"},
		{"first-shim", errors.New(`OCI runtime create failed: runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown`), executor.CommandNotFound, `exec: "nope": executable file not found in $PATH`},
		{"mount-source", errors.New(`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting "/nope" to rootfs at "/x": stat /nope: no such file or directory: unknown`), executor.Internal, `error during container init: error mounting "/nope" to rootfs at "/x": stat /nope: no such file or directory`},
		{"working-directory", errors.New(`OCI runtime create failed: runc create failed: unable to start container process: error during container init: chdir to cwd ("/nope") set in config.json failed: no such file or directory: unknown`), executor.Internal, `error during container init: chdir to cwd ("/nope") set in config.json failed: no such file or directory`},
		{"hook-about-a-command", errors.New(`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running hook #0: error running hook: exit status 1, stdout: , stderr: exec: "nope": executable file not found in $PATH: unknown`), executor.Internal, `error during container init: error running hook #0: error running hook: exit status 1, stdout: , stderr: exec: "nope": executable file not found in $PATH`},
		{"unavailable", fmt.Errorf("transport is closing: %w", errdefs.ErrUnavailable), executor.Unavailable, "transport is closing"},
		{"cancelled", context.Canceled, executor.Canceled, "context canceled"},
		{"deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), executor.DeadlineExceeded, "x: context deadline exceeded"},
		{"containerd-object", fmt.Errorf("container x: %w", errdefs.ErrNotFound), executor.Internal, "container x"},
		{"has-a-code", executor.Errorf(executor.Invalid, "as it is: unknown"), executor.Invalid, "as it is: unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := StartFault(tt.err, commandOf(tt.message))
			if executor.CodeOf(err) != tt.code || err.Error() != tt.message {
				t.Errorf("got %s %q, want %s %q", executor.CodeOf(err), err, tt.code, tt.message)
			}
		})
	}
	if err := Fault(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

// commandOf returns the command that a message of the test is about.
func commandOf(message string) string {
	for _, command := range []string{"/nope", "/etc/passwd", "/etc", "nope"} {
		if strings.Contains(message, command) {
			return command
		}
	}
	return ""
}
