package otlp

import (
	"context"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/trace"
)

const (
	// sendEvery is how long a span waits for others, at most.
	sendEvery = time.Second
	// sendTime is how long a collector may take.
	sendTime = 5 * time.Second
	// maxBatch and maxQueue are numbers of spans: of a request, and of those that wait.
	maxBatch = 512
	maxQueue = 4096
)

// Exporter sends spans in the background. It never makes anybody wait: what a slow collector
// does not take is dropped, and counted.
type Exporter struct {
	target *Target
	failed func(dropped int, err error)

	queue chan trace.Span
	quit  chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	dropped int
}

// NewExporter returns an Exporter. failed is told of requests that fail, with the number of
// spans that were lost since it was told the last time.
func NewExporter(target *Target, failed func(dropped int, err error)) *Exporter {
	e := &Exporter{target: target, failed: failed, queue: make(chan trace.Span, maxQueue), quit: make(chan struct{}), done: make(chan struct{})}
	go e.run()
	return e
}

// Add implements [trace.Sink].
func (e *Exporter) Add(s trace.Span) {
	select {
	case e.queue <- s:
	default:
		e.mu.Lock()
		e.dropped++
		e.mu.Unlock()
	}
}

// Close sends what waits, for which it has some seconds. It is called once, and nothing is
// sent that is added later.
func (e *Exporter) Close() {
	close(e.quit)
	<-e.done
}

func (e *Exporter) run() {
	defer close(e.done)
	for {
		var batch []trace.Span
		select {
		case s := <-e.queue:
			batch = append(batch, s)
		case <-e.quit:
			for batch = e.take(nil, nil); len(batch) > 0 && e.send(batch); batch = e.take(nil, nil) {
			}
			return
		}
		timer := time.NewTimer(sendEvery)
		batch = e.take(batch, timer.C)
		timer.Stop()
		e.send(batch)
	}
}

// take adds to a batch what waits, until a time, and until it is full. Nil is at once.
func (e *Exporter) take(batch []trace.Span, until <-chan time.Time) []trace.Span {
	for len(batch) < maxBatch {
		select {
		case s := <-e.queue:
			batch = append(batch, s)
			continue
		default:
		}
		if until == nil {
			return batch
		}
		select {
		case s := <-e.queue:
			batch = append(batch, s)
		case <-until:
			until = nil
		case <-e.quit:
			until = nil
		}
	}
	return batch
}

// send reports whether the collector took a batch.
func (e *Exporter) send(batch []trace.Span) bool {
	ctx, cancel := context.WithTimeout(context.Background(), sendTime)
	defer cancel()
	err := e.target.Send(ctx, batch)
	e.mu.Lock()
	if err != nil {
		e.dropped += len(batch)
	}
	dropped := e.dropped
	e.dropped = 0
	e.mu.Unlock()
	if dropped > 0 {
		e.failed(dropped, err)
	}
	return err == nil
}
