package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
)

// attempt is one start of a workload. Its monitor, a process that outlives this
// one, writes the record when the workload runs and the exit when it has ended,
// and listens on the socket for as long as it lives.
type attempt struct {
	dir    string
	socket string
	record
}

type record struct {
	Ref       executor.Ref `json:"ref"`
	PID       int          `json:"pid"`
	StartedAt time.Time    `json:"started_at"`
}

// at gives the place of an attempt. There is one attempt of a container at a time.
func (b *backend) at(ref executor.Ref) *attempt {
	hash := sha256.Sum256([]byte(ref.ID)) // ids may be too long for a socket's path
	return &attempt{
		dir:    filepath.Join(b.attempts, ref.ID),
		socket: filepath.Join(b.sockets, hex.EncodeToString(hash[:8])),
		record: record{Ref: ref},
	}
}

func (a *attempt) recordFile() string { return filepath.Join(a.dir, "record.json") }
func (a *attempt) exitFile() string   { return filepath.Join(a.dir, "exit.json") }

func (a *attempt) remove() error {
	err := os.Remove(a.socket)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(a.dir))
}

// start starts a monitor, which starts the workload. On an error nothing is left.
func (a *attempt) start(o order) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(a.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	// The monitor inherits the lock. If an executor was killed over a start, its
	// monitor may be about to write the record.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return executor.Errorf(executor.Unavailable, "%s: an earlier start is under way: %w", a.Ref, err)
	}
	if err := a.startMonitor(o, lock); err != nil {
		return errors.Join(err, a.remove())
	}
	return nil
}

func (a *attempt) startMonitor(o order, lock *os.File) error {
	if err := os.Remove(a.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	o.Record, o.Exit, o.Socket = a.recordFile(), a.exitFile(), a.socket
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
		return fmt.Errorf("%s: the monitor ended before the workload ran: %w", a.Ref, err)
	case reply.Code != "":
		return executor.Errorf(reply.Code, "%s", reply.Message)
	}
	a.record = reply.Record
	return nil
}

// exit gives the end of the workload, or nil while it runs. Its Source is for the
// caller to tell, unless the exit is lost.
func (a *attempt) exit() *executor.Exit {
	var end executor.Exit
	if readJSON(a.exitFile(), &end) == nil {
		return &end
	}
	if conn, err := net.Dial("unix", a.socket); err == nil {
		_ = conn.Close()
		return nil
	}
	if readJSON(a.exitFile(), &end) == nil { // it ended in between
		return &end
	}
	return executor.LostExit("the monitor is gone and has left no exit: it was killed, or the machine was restarted")
}

// wait returns when the workload has ended, or ctx has.
func (a *attempt) wait(ctx context.Context) error {
	_, err := a.say(ctx, nil)
	return err
}

// signal has the monitor send a signal.
func (a *attempt) signal(ctx context.Context, sig executor.Signal) error {
	heard, err := a.say(ctx, []byte{byte(sig)})
	if err == nil && !heard {
		return executor.Errorf(executor.FailedPrecondition, "%s has ended", a.Ref)
	}
	return err
}

// say writes to the monitor, and reports whether it answers before it ends.
func (a *attempt) say(ctx context.Context, words []byte) (answered bool, err error) {
	conn, err := net.Dial("unix", a.socket)
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
