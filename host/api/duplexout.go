package api

import "time"

// taken implements Streams.Taken.
func (d *duplex) taken(offset int64) error {
	d.mu.Lock()
	d.given = offset
	d.mu.Unlock()
	return d.send(message{Taken: &offset})
}

// output implements Streams.Output: it returns when the client has the data.
func (d *duplex) output(s Stream, data []byte) error {
	d.mu.Lock()
	upTo := &d.sent.Stdout
	if s == Stderr {
		upTo = &d.sent.Stderr
	}
	*upTo += int64(len(data))
	want := d.sent
	d.mu.Unlock()
	if err := d.write(s, data); err != nil {
		return err
	}
	return d.await(d.ctx, func() bool {
		if s == Stderr {
			return d.acked.Stderr >= want.Stderr
		}
		return d.acked.Stdout >= want.Stdout
	})
}

func (d *duplex) dropped(s Stream, bytes int64) error {
	d.mu.Lock()
	if s == Stderr {
		d.sent.Stderr += bytes
	} else {
		d.sent.Stdout += bytes
	}
	d.mu.Unlock()
	return d.send(message{Dropped: &dropped{s, bytes}})
}

func (d *duplex) write(s Stream, data []byte) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.enc.write(s, data); err != nil {
		d.cancel(errClientGone)
		return errClientGone
	}
	return nil
}

func (d *duplex) send(m message) error {
	line, err := encode(m)
	if err != nil {
		return err
	}
	return d.write(control, line)
}

// ping shows the client, and whatever is in between, that the connection is alive.
func (d *duplex) ping() {
	for {
		select {
		case <-time.After(pingEvery):
			if d.send(message{Ping: true}) != nil {
				return
			}
		case <-d.ctx.Done():
			return
		}
	}
}
