package cni

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

const (
	// maxOutput bounds what a plugin may print as its result, and maxError what an error
	// repeats of it, in bytes.
	maxOutput = 1 << 20
	maxError  = 1 << 10
	// drain is how long the output of a plugin that has ended is waited for: it may have left
	// it to a child.
	drain = time.Second
	// busyTries and busyPause are for a program that is being written.
	busyTries = 5
	busyPause = 100 * time.Millisecond
)

// PluginError says what a plugin has failed at.
type PluginError struct {
	// Plugin is its type, and Command what it was asked for: ADD, DEL, CHECK, …
	Plugin, Command string
	// Reason is what it has said, or what is wrong with it.
	Reason string
	// Err is why it was ended, if it was.
	Err error
}

func (e *PluginError) Error() string {
	return fmt.Sprintf("plugin %q failed at %s: %s", e.Plugin, e.Command, e.Reason)
}

// Unwrap returns Err, or Internal: what a plugin fails at may be anything.
func (e *PluginError) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	return executor.Internal
}

// programs runs plugins as programs, as libcni wants it.
type programs struct {
	version.PluginDecoder
	lock    *os.File // they inherit it
	timeout time.Duration
}

// FindInPath implements invoke.Exec.
func (p *programs) FindInPath(plugin string, dirs []string) (string, error) {
	return find(plugin, dirs)
}

// ExecPlugin implements invoke.Exec. The error is a PluginError. Nothing of the plugin runs any
// more when it returns, except what it has left to run.
func (p *programs) ExecPlugin(ctx context.Context, path string, stdin []byte, environ []string) ([]byte, error) {
	e := &PluginError{Plugin: filepath.Base(path), Command: variable(environ, "CNI_COMMAND")}
	timed, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	stdout, stderr := &limited{}, &linux.Head{Most: maxError}
	err := p.run(timed, path, stdin, environ, stdout, stderr)
	out := stdout.kept.Bytes()
	switch {
	case ctx.Err() != nil:
		e.Reason, e.Err = "it was ended with the call: "+context.Cause(ctx).Error(), ctx.Err()
	case timed.Err() != nil:
		e.Reason, e.Err = fmt.Sprintf("it had not ended after %s, and was killed%s", p.timeout, said(nil, stderr.Bytes())), executor.DeadlineExceeded
	case stdout.full:
		e.Reason = fmt.Sprintf("it printed more than %d bytes", maxOutput)
	case err != nil:
		e.Reason = reason(err, out, stderr.Bytes())
	case e.Command == "ADD" && !isObject(out):
		e.Reason = "it printed no result" + said(out, stderr.Bytes())
	default:
		return out, nil
	}
	return nil, e
}

// limited keeps up to maxOutput bytes. More of them are an error, so that nobody waits for the
// end of what has none.
type limited struct {
	kept bytes.Buffer
	full bool
}

func (l *limited) Write(b []byte) (int, error) {
	if l.full = l.full || l.kept.Len()+len(b) > maxOutput; l.full {
		return 0, io.ErrShortWrite
	}
	return l.kept.Write(b)
}

// run runs a program in a process group of its own, which ends with ctx.
func (p *programs) run(ctx context.Context, path string, stdin []byte, environ []string, stdout, stderr io.Writer) error {
	for try := 1; ; try++ {
		cmd := exec.CommandContext(ctx, path)
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, bytes.NewReader(stdin), stdout, stderr
		if p.lock != nil {
			cmd.ExtraFiles = []*os.File{p.lock}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
		cmd.WaitDelay = drain
		err := cmd.Run()
		switch {
		case errors.Is(err, exec.ErrWaitDelay):
			return nil // it has ended well
		case !errors.Is(err, unix.ETXTBSY) || try == busyTries:
			return err
		}
		time.Sleep(busyPause)
	}
}

// reason says why a plugin has failed: in its own words, if it has any.
func reason(err error, stdout, stderr []byte) string {
	var e types.Error
	if isObject(stdout) && json.Unmarshal(stdout, &e) == nil && (e.Msg != "" || e.Details != "") {
		text := strings.TrimSpace(strings.Join([]string{e.Msg, e.Details}, "; "))
		return strings.Trim(text, "; ")
	}
	return err.Error() + said(stdout, stderr)
}

// said returns what a plugin has printed that is no result, for an error.
func said(stdout, stderr []byte) string {
	text := strings.TrimSpace(string(bytes.TrimSpace(stdout)) + " " + string(bytes.TrimSpace(stderr)))
	if text == "" {
		return ""
	}
	return fmt.Sprintf("; it said: %.*q", maxError, text)
}

func isObject(text []byte) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal(text, &object) == nil && object != nil
}

// variable returns the last value of a variable.
func variable(environ []string, name string) (value string) {
	for _, v := range environ {
		if after, ok := strings.CutPrefix(v, name+"="); ok {
			value = after
		}
	}
	return value
}
