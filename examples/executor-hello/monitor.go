package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// monitorArg, as the only argument, makes the program a monitor.
const monitorArg = "monitor"

// order is what a monitor reads from its stdin.
type order struct {
	Ref    executor.Ref      `json:"ref"`
	Spec   spec              `json:"spec"`
	Env    map[string]string `json:"env"`
	Stdio  executor.Stdio    `json:"stdio"`
	Record string            `json:"record"`
	Exit   string            `json:"exit"`
	Socket string            `json:"socket"`
}

// answer is what it writes to its stdout: the record of a workload that runs, or
// why there is none.
type answer struct {
	Code    executor.Code `json:"code,omitempty"`
	Message string        `json:"message,omitempty"`
	Record  record        `json:"record"`
}

// monitor starts a workload and stays for as long as it runs. It returns the exit
// code of the process.
func monitor() int {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	syscall.CloseOnExec(3) // the lock is ours, not the workload's
	if err := monitorWorkload(); err != nil {
		_ = json.NewEncoder(os.Stdout).Encode(answer{Code: executor.CodeOf(err), Message: err.Error()})
		return 1
	}
	return 0
}

func monitorWorkload() error {
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return err
	}
	listener, err := net.Listen("unix", o.Socket)
	if err != nil {
		return err
	}
	cmd, err := o.start()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	r := record{Ref: o.Ref, PID: cmd.Process.Pid, StartedAt: time.Now()}
	if err := writeJSON(o.Record, r); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return err
	}
	_ = json.NewEncoder(os.Stdout).Encode(answer{Record: r}) // the executor may be gone
	_ = os.Stdout.Close()
	go listen(listener, cmd.Process)

	_ = cmd.Wait()
	_ = syscall.Kill(-r.PID, syscall.SIGKILL) // what it has left would go on writing
	_ = writeJSON(o.Exit, exitOf(cmd.ProcessState))
	return nil // the end of this process is what others wait for
}

// exitOf returns the end of a process as executors report it.
func exitOf(state *os.ProcessState) executor.Exit {
	code, end := state.ExitCode(), executor.Exit{At: time.Now()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		end.Signal = status.Signal()
		code = 128 + int(end.Signal)
	}
	end.Code = &code
	return end
}

// listen passes signals on: each byte is the number of one, and is sent back.
func listen(l net.Listener, p *os.Process) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for b := make([]byte, 1); ; {
				if _, err := conn.Read(b); err != nil || p.Signal(syscall.Signal(b[0])) != nil {
					return
				}
				_, _ = conn.Write(b)
			}
		}()
	}
}

// start starts the workload's process.
func (o order) start() (*exec.Cmd, error) {
	stdout, err := openStream(o.Stdio.Stdout)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr := stdout
	if o.Stdio.Stderr != o.Stdio.Stdout {
		if stderr, err = openStream(o.Stdio.Stderr); err != nil {
			return nil, err
		}
		defer stderr.Close()
	}
	if _, err := os.Stat(filepath.Join(o.Spec.Root.Path, o.Spec.Process.Cwd)); err != nil {
		return nil, executor.Errorf(executor.Invalid, "working directory: %w", err)
	}
	for _, path := range o.candidates() {
		cmd := &exec.Cmd{
			Path: path, Args: o.Spec.Process.Args, Env: o.env(), Dir: o.Spec.Process.Cwd,
			Stdout: stdout, Stderr: stderr,
			SysProcAttr: &syscall.SysProcAttr{Setsid: true, Chroot: o.Spec.chroot(), Credential: o.Spec.credential()},
		}
		if err = cmd.Start(); err == nil {
			return cmd, nil
		}
		if !errors.Is(err, syscall.ENOENT) {
			break
		}
	}
	code := executor.Internal
	switch {
	case errors.Is(err, syscall.ENOENT):
		code = executor.CommandNotFound
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOEXEC):
		code = executor.CommandNotExecutable
	}
	return nil, executor.Errorf(code, "%w", err)
}

// candidates returns the paths at which the command may be.
func (o order) candidates() []string {
	command := o.Spec.Process.Args[0]
	if strings.Contains(command, "/") {
		return []string{command}
	}
	search := "/usr/local/bin:/usr/bin:/bin"
	for _, variable := range o.env() {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			search = value
		}
	}
	var paths []string
	for _, dir := range filepath.SplitList(search) {
		paths = append(paths, filepath.Join(dir, command))
	}
	return paths
}

func (o order) env() []string {
	env := append([]string{}, o.Spec.Process.Env...) // not nil, which would be ours
	for name, value := range o.Env {
		env = append(env, name+"="+value)
	}
	return env
}

func openStream(s executor.Stream) (*os.File, error) {
	switch s.Kind {
	case executor.StreamNull:
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	case executor.StreamFile:
		return os.OpenFile(s.Path, os.O_WRONLY|os.O_APPEND, 0)
	}
	return nil, executor.Errorf(executor.Unsupported, "this executor writes to files, not to a %s", s.Kind)
}
