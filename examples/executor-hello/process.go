package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// process is the process of one attempt. Its monitor, which outlives this program,
// writes the record when the process runs and the exit when it has ended, and listens
// on the socket for as long as it lives.
type process struct {
	dir    string
	socket string
	record
}

type record struct {
	Ref       executor.Ref `json:"ref"`
	PID       int          `json:"pid"`
	StartedAt time.Time    `json:"started_at"`
}

func (p *process) running() executor.Status {
	return executor.Status{Ref: p.Ref, State: executor.Running, PID: p.PID, StartedAt: p.StartedAt}
}

func (p *process) recordFile() string { return filepath.Join(p.dir, "record.json") }
func (p *process) exitFile() string   { return filepath.Join(p.dir, "exit.json") }

// Remove removes all that is left of the process.
func (p *process) Remove(context.Context) error {
	err := os.Remove(p.socket)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// start starts a monitor, which starts the workload. On an error nothing is left.
func (p *process) start(o order) error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(p.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	// The monitor inherits the lock. If an executor was killed over a start, its
	// monitor may be about to write the record.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return executor.Errorf(executor.Unavailable, "%s: an earlier start is under way: %w", o.Ref, err)
	}
	if err := p.startMonitor(o, lock); err != nil {
		return errors.Join(err, p.Remove(context.Background()))
	}
	return nil
}

func (p *process) startMonitor(o order, lock *os.File) error {
	if err := os.Remove(p.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	o.Record, o.Exit, o.Socket = p.recordFile(), p.exitFile(), p.socket
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", monitorArg)
	cmd.Dir = "/"
	cmd.Env = []string{} // not ours: what the workload sees is the spec's
	cmd.Stdin = bytes.NewReader(body)
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var reply answer
	err = json.NewDecoder(out).Decode(&reply)
	go func() { _ = cmd.Wait() }() // as long as the workload runs, unless we end first
	switch {
	case err != nil:
		return fmt.Errorf("%s: the monitor ended before the workload ran: %w", o.Ref, err)
	case reply.Code != "":
		return executor.Errorf(reply.Code, "%s", reply.Message)
	}
	p.record = reply.Record
	return nil
}

// exit returns the end of the process, or nil while it runs.
func (p *process) exit() *executor.Exit {
	if exit := p.readExit(); exit != nil {
		return exit
	}
	if conn, err := net.Dial("unix", p.socket); err == nil {
		_ = conn.Close()
		return nil
	}
	if exit := p.readExit(); exit != nil { // it ended in between
		return exit
	}
	return executor.LostExit("the monitor is gone and has left no exit: it was killed, or the machine was restarted")
}

func (p *process) readExit() *executor.Exit {
	var exit executor.Exit
	if readJSON(p.exitFile(), &exit) != nil {
		return nil
	}
	exit.Source = executor.Recovered
	return &exit
}

// Wait waits for the end of the process.
func (p *process) Wait(ctx context.Context) (*executor.Exit, error) {
	if _, err := p.say(ctx, nil); err != nil {
		return nil, err
	}
	exit := p.exit()
	switch {
	case exit == nil:
		return nil, fmt.Errorf("%s: its monitor does not talk and has not ended", p.Ref)
	case exit.Source == executor.Recovered: // it ran a moment ago
		exit.Source = executor.Observed
	}
	return exit, nil
}

// Release has nothing to do: processes write to the output files themselves.
func (p *process) Release(context.Context) (executor.Output, error) { return executor.Complete, nil }

// Signal has the monitor send a signal.
func (p *process) Signal(ctx context.Context, sig executor.Signal) error {
	heard, err := p.say(ctx, []byte{byte(sig)})
	if err == nil && !heard {
		return lifecycle.ErrEnded
	}
	return err
}

// say writes to the monitor, and reports whether it answers before it ends.
func (p *process) say(ctx context.Context, words []byte) (answered bool, err error) {
	conn, err := net.Dial("unix", p.socket)
	if err != nil {
		return false, nil // nobody listens: it has ended
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, _ = conn.Write(words)
	n, _ := conn.Read(make([]byte, 1))
	return n == 1, ctx.Err()
}

// writeJSON makes a file appear whole or not at all, also after a power failure.
func writeJSON(path string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

func readJSON(path string, v any) error {
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}
