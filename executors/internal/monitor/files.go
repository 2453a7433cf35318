package monitor

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/davit-run/davit/executors/internal/capture"
	"github.com/davit-run/davit/shared/executor"
)

// drainTimeout is how long output is waited for after the last process has ended. All that
// was written can be read by then; a foreign process may keep the other end open.
const drainTimeout = 2 * time.Second

// openFiles opens the descriptors of the workload, from 0 on, and begins to copy what it
// writes to them.
func (w *workload) openFiles(job Job) (files []*os.File, err error) {
	var sources []capture.Source
	defer func() {
		// The copier has descriptors of its own.
		for _, s := range sources {
			_ = s.From.Close()
		}
		if err != nil {
			for _, s := range sources {
				s.To.Close()
			}
			closeAll(files)
			files = nil
		}
	}()
	if job.Terminal != nil {
		files, sources, err = openConsole(job)
	} else {
		files, sources, err = openPipes(job)
	}
	if err != nil {
		return files, err
	}
	if w.copier, err = capture.Start(sources...); err != nil || job.Terminal == nil {
		return files, err
	}
	w.Terminal = files[0].Name()
	return files, w.toTerminal(job, sources[0].From)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // one may be listed twice
	}
}

// openPipes opens stdin, and a pipe for each stream of output.
func openPipes(job Job) (files []*os.File, sources []capture.Source, err error) {
	in, err := openInput(job)
	if err != nil {
		return nil, nil, err
	}
	files = []*os.File{in}
	for i, s := range []executor.Stream{job.Stdout, job.Stderr} {
		switch {
		case s.Kind == executor.StreamNull:
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				return files, sources, err
			}
			files = append(files, null)
			continue
		case i == 1 && s.Path == job.Stdout.Path:
			files = append(files, files[1]) // one description
			continue
		}
		log, err := openOutput(job, i)
		if err != nil {
			return files, sources, err
		}
		from, to, err := capture.Pipe(job.owner())
		if err != nil {
			log.Close()
			return files, sources, err
		}
		files = append(files, to)
		sources = append(sources, capture.Source{From: from, To: log})
	}
	return files, sources, nil
}

// owner returns who owns the pipes of the workload.
func (job *Job) owner() capture.Owner {
	if job.User == nil {
		return capture.Owner{UID: os.Geteuid(), GID: os.Getegid()}
	}
	return capture.Owner{UID: int(job.User.UID), GID: int(job.User.GID)}
}

// openOutput opens the file of stdout (0) or stderr (1).
func openOutput(job Job, stream int) (*capture.Log, error) {
	s := []executor.Stream{job.Stdout, job.Stderr}[stream]
	log, err := capture.OpenLog(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", []string{"stdout", "stderr"}[stream], err)
	}
	return log, nil
}

// drain waits until all output was copied, and reports whether it was.
func (w *workload) drain() bool {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	complete := w.copier.Wait(ctx)
	w.copier.Close()
	return complete
}
