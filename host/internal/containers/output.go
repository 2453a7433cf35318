package containers

import (
	"errors"
	"strconv"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// layout returns how the files of a container's attempts are laid out.
func (m *Manager) layout(c *store.Container) output.Layout { return m.layoutOf(c.Stdio) }

func (m *Manager) layoutOf(s store.Stdio) output.Layout {
	layout := output.Layout{Merged: s.Merged, Max: s.MaxBytes, Stdin: s.Stdin, Terminal: s.Terminal, Pipes: s.Pipes}
	switch layout.Max {
	case 0:
		layout.Max = m.limits.Load().MaxOutput
	case -1:
		layout.Max = 0
	}
	return layout
}

// files returns the output files of an attempt of a container.
func (m *Manager) files(c *store.Container, ref executor.Ref) output.Files {
	return m.outputs.Files(ref, m.layout(c))
}

// makeFiles makes the output files of the present attempt of a container, lets the
// executor write to them, and begins to track them.
func (m *Manager) makeFiles(c *store.Container) (output.Files, error) {
	return m.makeFilesOf(c.Ref(), c.Backend, m.layout(c))
}

func (m *Manager) makeFilesOf(ref executor.Ref, backend string, layout output.Layout) (output.Files, error) {
	files, err := m.outputs.Create(ref, layout)
	if err != nil {
		return files, err
	}
	if b, err := m.backends.Pick(backend); err == nil && b.Config().User != "" {
		user, err := b.Owner()
		if err == nil {
			err = m.outputs.Chown(files, user.UID, user.GID)
		}
		if err != nil {
			return files, err
		}
	}
	if layout.Pipes {
		return files, nil
	}
	return files, m.outputs.Track(files)
}

// outputNotice logs what happens to output on disk.
func (m *Manager) outputNotice(n output.Notice) {
	log := m.logger.With("container", n.Ref.ID, "attempt", n.Ref.Attempt, "stream", n.Stream.String())
	switch {
	case n.Lost != (executor.Loss{}):
		log.Error("output is lost: it could not be written; see to the room on its disk", "gaps", n.Lost.Gaps, "bytes", n.Lost.Bytes)
		m.background(func() { m.recordLoss(n) })
	case n.Err != nil:
		log.Error("output could not be capped", "error", n.Err)
	default:
		log.Warn("oldest output was dropped to keep its limit", "bytes", n.Dropped)
	}
}

// outputGrown tells the observer what became of output.
func (m *Manager) outputGrown(g output.Growth) {
	m.opts.Observer.Output(g.Stream, g.Written, g.Dropped, g.Lost)
}

// recordLoss records what is missing of an output in the container's record, and each
// gap in the journal.
func (m *Manager) recordLoss(n output.Notice) {
	err := m.store.Update(m.ctx, func(tx *store.Tx) error {
		c, err := tx.Container(n.Ref.ID)
		if err != nil || c.Attempt != n.Ref.Attempt || n.Ref.Exec != "" {
			return err
		}
		return putLoss(tx, c, n.Stream, n.Lost)
	})
	if err != nil && m.ctx.Err() == nil && !errors.Is(err, executor.NotFound) {
		m.logger.Warn("the loss of output is not recorded", "container", n.Ref.ID, "error", err)
	}
}

// putLoss records the loss of a stream of the present attempt of c.
func putLoss(tx *store.Tx, c *store.Container, s api.Stream, loss executor.Loss) error {
	known := c.Lost[s.String()]
	if loss == known {
		return nil
	}
	if c.Lost == nil {
		c.Lost = map[string]executor.Loss{}
	}
	c.Lost[s.String()] = loss
	if err := tx.PutContainer(c); err != nil || loss.Gaps == known.Gaps {
		return err
	}
	return appendEvent(tx, api.EventOutputStalled, c, map[string]string{"stream": s.String(), "gaps": strconv.Itoa(loss.Gaps), "lost_bytes": strconv.FormatInt(loss.Bytes, 10)})
}

// losses returns what is missing of an attempt's output, as far as it can be read.
func (m *Manager) losses(c *store.Container, ref executor.Ref) map[api.Stream]executor.Loss {
	stdout, stderr, err := m.files(c, ref).Usage()
	if err != nil {
		return nil
	}
	return map[api.Stream]executor.Loss{api.Stdout: stdout.Lost, api.Stderr: stderr.Lost}
}
