package minishim

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
)

// output carries the streams of a container.
type output struct {
	child []*os.File     // stdin, stdout and stderr for the container
	pipes []*os.File     // our ends
	wg    sync.WaitGroup // who copies output
}

// openOutput opens the streams: paths of files that exist, or of FIFOs; none, or
// /dev/null, for no stream. One path for both makes the output one stream.
func openOutput(stdin, stdout, stderr string, uid, gid int) (*output, error) {
	o := &output{}
	err := o.input(stdin)
	if err == nil {
		err = o.add(stdout, uid, gid)
	}
	switch {
	case err != nil:
	case stdout == stderr:
		o.child = append(o.child, o.child[1])
	default:
		err = o.add(stderr, uid, gid)
	}
	if err != nil {
		o.handedOver()
		o.end(context.Background())
		return nil, err
	}
	return o, nil
}

// input adds a stream that comes from a FIFO.
func (o *output) input(path string) error {
	if path == "" || path == os.DevNull {
		return o.null()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	o.child = append(o.child, r)
	o.pipes = append(o.pipes, w)
	go func() {
		// Opening waits for the first writer, and with the process at the latest
		// it ends.
		if f, err := os.Open(path); err == nil {
			_, _ = io.Copy(w, f)
			_ = f.Close()
		}
		_ = w.Close()
	}()
	return nil
}

// add adds a stream that goes to a file.
func (o *output) add(path string, uid, gid int) error {
	if path == "" || path == os.DevNull {
		return o.null()
	}
	// Open for both, a FIFO has a reader for as long as we write.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	o.child = append(o.child, w)
	o.pipes = append(o.pipes, r)
	o.wg.Go(func() {
		_, _ = io.Copy(file, r)
		_ = file.Close()
	})
	if uid != 0 || gid != 0 {
		return w.Chown(uid, gid)
	}
	return nil
}

func (o *output) null() error {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		o.child = append(o.child, f)
	}
	return err
}

// handedOver closes the container's ends.
func (o *output) handedOver() {
	for _, f := range o.child {
		_ = f.Close() // one may stand there twice
	}
}

// end waits until the output has drained, but no longer than ctx, and closes the
// streams.
func (o *output) end(ctx context.Context) {
	drained := make(chan struct{})
	go func() {
		o.wg.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-ctx.Done():
	}
	for _, f := range o.pipes {
		_ = f.Close()
	}
}
