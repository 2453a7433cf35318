package containers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
)

// probeDrain is how long the output of a command is read that has ended and has left others
// behind, who have it open.
const probeDrain = time.Second

// probeRun is what a command of a health check needs while it runs.
type probeRun struct {
	session  *backends.Session
	workload executor.Workload
	// fifo has its output. writer keeps the FIFO from being at its end before the command
	// has it open.
	fifo, writer *os.File
	read         chan string
}

// prepareProbe makes what a command needs. It writes nothing to the store.
func (m *Manager) prepareProbe(ctx context.Context, p *commandProbe, command []string) (*probeRun, error) {
	c, err := m.record(p.ref.ID)
	if err != nil {
		return nil, err
	}
	run := &probeRun{read: make(chan string, 1)}
	if run.session, err = m.backends.Session(ctx, c.Backend); err != nil {
		return nil, err
	}
	var spec json.RawMessage
	err = m.store.View(func(tx *store.Tx) (err error) {
		spec, err = tx.Spec(c.ID)
		return err
	})
	if err == nil && string(spec) == unknownSpec {
		err = executor.Errorf(executor.FailedPrecondition, "what its processes are like was lost with the state")
	}
	if err == nil {
		spec, err = ocispec.Process(spec, ocispec.Options{Args: command, Terminal: new(bool)})
	}
	var files output.Files
	if err == nil {
		files, err = m.makeProbeFiles(ctx, p.ref, c.Backend)
	}
	if err == nil {
		run.workload = executor.Workload{Ref: p.ref, Spec: spec, Stdio: files.Stdio()}
		err = run.open(files.Stdout)
	}
	if err != nil {
		m.logger.Debug("a health check was not made", "container", c.ID, "error", err)
		return nil, err
	}
	return run, nil
}

// makeProbeFiles makes the FIFO for the output of a command, and removes those that commands
// of earlier hosts have left.
func (m *Manager) makeProbeFiles(ctx context.Context, ref executor.Ref, backend string) (files output.Files, err error) {
	// A removal has this lock, too: nothing is made of what is gone.
	unlock, err := m.starts.Lock(ctx, ref.ID)
	if err != nil {
		return files, err
	}
	defer unlock()
	if err := m.toProbe(ref.Init()); err != nil {
		return files, err
	}
	layout := output.Layout{Merged: true, Pipes: true}
	left, _ := os.ReadDir(filepath.Dir(m.outputs.Files(ref, layout).Dir()))
	for _, dir := range left {
		old := executor.Ref{ID: ref.ID, Attempt: ref.Attempt, Exec: dir.Name()}
		if isProbe(old) {
			err = errors.Join(err, m.outputs.RemoveProcess(old))
		}
	}
	if err != nil {
		return files, err
	}
	return m.makeFilesOf(ref, backend, layout)
}

// open opens the FIFO, and begins to read it.
func (run *probeRun) open(path string) (err error) {
	if run.fifo, err = fifo.Open(path, os.O_RDONLY); err != nil {
		return err
	}
	if run.writer, err = fifo.Open(path, os.O_WRONLY); err != nil {
		_ = run.fifo.Close()
		return err
	}
	go func() {
		var kept strings.Builder
		_, err := io.CopyN(&kept, run.fifo, api.MaxHealthOutput)
		if err == nil {
			_, _ = io.Copy(io.Discard, run.fifo) // so that it is not held up
		}
		run.read <- kept.String()
	}()
	return nil
}

// started means that the command has its output open, or will never have.
func (run *probeRun) started() { _ = run.writer.Close() }

// output returns the beginning of what a command has written that has ended, or is to.
func (run *probeRun) output() string {
	_ = run.fifo.SetReadDeadline(time.Now().Add(probeDrain))
	text := <-run.read
	run.read <- text
	return text
}

// close ends the reading.
func (run *probeRun) close() {
	_ = run.writer.Close()
	_ = run.fifo.Close()
	<-run.read
}
