package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// NewProcesses gives an executor whose workloads are processes that outlive it.
// It may be used only in a program whose main calls [RunWorkload] first.
func NewProcesses() executor.Executor {
	return newExecutor(&processes{children: map[string]<-chan struct{}{}})
}

// processes is a platform on files. An attempt has a directory in StateDir with
// its record and, once it has ended, its exit; and a socket in RunDir for as
// long as it runs.
type processes struct {
	mu       sync.Mutex
	children map[string]<-chan struct{} // by place.Dir; closed when the child is reaped
}

// place is where an attempt has its files.
type place struct {
	Dir    string `json:"dir"`
	Socket string `json:"socket"`
}

func attemptsDir(env executor.Environment) string { return filepath.Join(env.StateDir, "attempts") }

func placeOf(env executor.Environment, ref executor.Ref) place {
	sum := sha256.Sum256([]byte(ref.String()))
	return place{
		Dir:    filepath.Join(attemptsDir(env), fmt.Sprintf("%s.%d", ref.ID, ref.Attempt)),
		Socket: filepath.Join(env.RunDir, hex.EncodeToString(sum[:8])),
	}
}

func (p place) recordFile() string { return filepath.Join(p.Dir, "record.json") }
func (p place) exitFile() string   { return filepath.Join(p.Dir, "exit.json") }
func (p place) remove() error {
	return errors.Join(ignoreMissing(os.Remove(p.Socket)), os.RemoveAll(p.Dir))
}

func (p *processes) start(ctx context.Context, env executor.Environment, l launch) (holder, error) {
	at := placeOf(env, l.Ref)
	if err := at.remove(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(at.Dir, 0o700); err != nil {
		return nil, err
	}
	cmd, answer, err := spawn(ctx, order{Launch: l, Place: at})
	if err == nil && answer.Code != "" {
		_ = cmd.Wait()
		err = executor.Errorf(answer.Code, "%s", answer.Message)
	}
	if err != nil {
		return nil, errors.Join(err, at.remove())
	}
	reaped := make(chan struct{})
	p.mu.Lock()
	p.children[at.Dir] = reaped
	p.mu.Unlock()
	go func() { // for as long as the workload or this process lives
		reap(cmd, at)
		close(reaped)
	}()
	return &process{platform: p, place: at, rec: answer.Record}, nil
}

// spawn starts a workload's process and waits for its answer.
func spawn(ctx context.Context, o order) (*exec.Cmd, answer, error) {
	var a answer
	body, err := json.Marshal(o)
	if err != nil {
		return nil, a, err
	}
	cmd := exec.Command("/proc/self/exe", workloadArg)
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0"} // built with -race it would sleep at its exit
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(body)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, a, err
	}
	if err := cmd.Start(); err != nil {
		return nil, a, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	err = json.NewDecoder(out).Decode(&a)
	if !stop() {
		err = executor.Errorf(executor.CodeOf(ctx.Err()), "%s: not started: %w", o.Launch.Ref, context.Cause(ctx))
	} else if err != nil {
		err = fmt.Errorf("%s: the workload's process ended before it ran: %w", o.Launch.Ref, err)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return cmd, a, err
}

// reap waits for a child, and writes its exit if it could not.
func reap(cmd *exec.Cmd, at place) {
	_ = cmd.Wait()
	if _, err := os.Stat(at.exitFile()); err == nil {
		return
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		end := killed(status.Signal())
		end.At = time.Now()
		_ = writeJSON(at.exitFile(), end)
	}
}

func (p *processes) held(env executor.Environment) ([]holder, error) {
	entries, err := os.ReadDir(attemptsDir(env))
	if err != nil {
		return nil, ignoreMissing(err)
	}
	var all []holder
	for _, entry := range entries {
		var rec record
		err := readJSON(filepath.Join(attemptsDir(env), entry.Name(), "record.json"), &rec)
		switch {
		case errors.Is(err, fs.ErrNotExist): // about to start, or to be removed
		case torn(err): // by a power failure, which nothing has outlived
		case err != nil:
			return nil, err
		default:
			all = append(all, &process{platform: p, place: placeOf(env, rec.Ref), rec: rec})
		}
	}
	return all, nil
}

// torn reports whether err is that of a file without all of its content.
func torn(err error) bool {
	_, broken := errors.AsType[*json.SyntaxError](err)
	return broken || errors.Is(err, io.ErrUnexpectedEOF)
}

// process is an attempt that runs as a process. It may have been started by an
// earlier executor.
type process struct {
	platform *processes
	place
	rec record
}

func (p *process) record() record { return p.rec }

func (p *process) exit() *executor.Exit {
	var end executor.Exit
	if readJSON(p.exitFile(), &end) == nil {
		return &end
	}
	if reaped := p.reaped(); reaped != nil {
		select {
		case <-reaped:
		default:
			return nil
		}
	} else if conn, err := net.Dial("unix", p.Socket); err == nil {
		_ = conn.Close()
		return nil
	}
	if readJSON(p.exitFile(), &end) == nil { // it ended in between
		return &end
	}
	return executor.LostExit("the workload's process is gone and left no exit")
}

func (p *process) wait(ctx context.Context) error {
	if reaped := p.reaped(); reaped != nil {
		select {
		case <-reaped:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	_, err := p.say(ctx, 0)
	return err
}

func (p *process) signal(ctx context.Context, sig executor.Signal) error {
	taken, err := p.say(ctx, byte(sig))
	if err == nil && !taken {
		err = errEnded(p.rec.Ref)
	}
	return err
}

// say sends a byte to the workload's process and reports whether it answered
// before it ended.
func (p *process) say(ctx context.Context, b byte) (answered bool, err error) {
	conn, err := net.Dial("unix", p.Socket)
	if err != nil {
		return false, nil // nobody listens: it has ended
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, _ = conn.Write([]byte{b})
	n, _ := conn.Read(make([]byte, 1))
	return n == 1, context.Cause(ctx)
}

func (p *process) remove() error {
	p.platform.mu.Lock()
	delete(p.platform.children, p.Dir)
	p.platform.mu.Unlock()
	return p.place.remove()
}

// reaped gives nil for a process that is not our child.
func (p *process) reaped() <-chan struct{} {
	p.platform.mu.Lock()
	defer p.platform.mu.Unlock()
	return p.platform.children[p.Dir]
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// writeJSON makes the file appear whole or not at all.
func writeJSON(path string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", body, 0o600); err != nil {
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
