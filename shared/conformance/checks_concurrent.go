package conformance

import (
	"context"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/transport"
)

var _ = register(110, transport.MethodCreate.Name,
	Check{Name: "concurrent", run: checkConcurrent, direct: true,
		Duty: "Whole lives of several containers can run at once, while List is called all the time.",
		Hint: "Run your own tests with -race, and let List pass over what is about to appear or to go."},
	Check{Name: "create-waiting", run: checkCreateWaiting, direct: true,
		Duty: "A Create that waits for the host to take a stale exit delays no other container.",
		Hint: "Do not keep a lock that all containers share while you wait for the host or for a backend."},
)

// together runs fn n times at once. Each may end its part of the check.
func (t *trial) together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					if _, ok := p.(abandoned); !ok {
						panic(p)
					}
				}
			}()
			fn(i)
		})
	}
	wg.Wait()
}

func checkConcurrent(t *trial) {
	s := t.open()
	workloads := make([]*workload, min(8, t.target.Workloads))
	for i := range workloads {
		workloads[i] = t.workload(s, untilGo, Step{Action: Exit, N: i})
	}
	done := make(chan struct{})
	var listing sync.WaitGroup
	listing.Go(func() {
		t.together(1, func(int) {
			for {
				select {
				case <-done:
					return
				default:
					s.List()
				}
			}
		})
	})
	t.together(len(workloads), func(i int) {
		w := workloads[i]
		s.create(w)
		t.wantRunning(s.List()[w.Ref], "List of "+w.Ref.String())
		w.touch("go")
		s.wantExit(w, i)
		s.released(w)
		t.must(s.Delete(w.Ref), "Delete of %s", w.Ref)
	})
	close(done)
	listing.Wait()
}

func checkCreateWaiting(t *trial) {
	s := t.open()
	release := s.host.block()
	defer release()
	stale := s.launch(Step{Action: Exit, N: 3})
	s.await(exitCalled, stale.Ref)
	newer := stale.next(s, Step{Action: Exit, N: 4})
	other := t.workload(s, untilGo, Step{Action: Exit, N: 7})

	var waiting sync.WaitGroup
	waiting.Go(func() { _, _ = s.Create(t.ctx, newer.Workload) })
	time.Sleep(absence)                                            // for the Create to get to where it waits
	ctx, cancel := context.WithTimeout(t.ctx, t.target.Patience/2) // ends before the one that waits gives up
	_, err := s.Create(ctx, other.Workload)
	cancel()
	release()
	waiting.Wait()
	t.must(err, "Create of %s, while that of %s waits", other.Ref, newer.Ref)
	other.touch("go")
	s.wantExit(other, 7)
	s.create(newer)
	s.wantExit(newer, 4)
}
