package storm

import (
	"math/rand/v2"
	"sync"
	"time"
)

// The phases of a container's life in which faults are counted.
const (
	phaseCreating = "creating" // asked for, and nothing of it exists on the backend
	phaseStarting = "starting" // from its bundle to its first instruction
	phaseRunning  = "running"
	phaseExiting  = "exiting"  // from its last line to the moment at which users see it ended
	phaseIdle     = "idle"     // ended, and kept
	phaseDeleting = "deleting" // its removal is asked for
)

var phases = []string{phaseCreating, phaseStarting, phaseRunning, phaseExiting, phaseIdle, phaseDeleting}

// window is how long after the beginning of a phase a fault may come. They are
// about what the phase takes; creating and starting are one until the fault comes,
// when it is looked which it was. How long those take depends most on the machine:
// see weather.creating.
var window = map[string]time.Duration{
	phaseCreating: 120 * time.Millisecond,
	phaseRunning:  500 * time.Millisecond,
	phaseExiting:  100 * time.Millisecond,
	phaseIdle:     100 * time.Millisecond,
	phaseDeleting: 40 * time.Millisecond,
}

// plan says which faults are still to come: how many of each kind in each phase.
// It is safe for concurrent use.
type plan struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	left map[string]map[string]int // by phase and kind
}

// newPlan spreads the faults of each kind evenly over the phases.
func newPlan(seed uint64, counts map[string]int) *plan {
	p := &plan{rnd: rand.New(rand.NewPCG(seed, 0)), left: map[string]map[string]int{}}
	for i, phase := range phases {
		p.left[phase] = map[string]int{}
		for kind, n := range counts {
			p.left[phase][kind] = (n + i) / len(phases)
		}
	}
	return p
}

// wants reports whether faults are still to come in a phase, and how long after
// its beginning the next shall, at most window.
func (p *plan) wants(phase string, window time.Duration) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := sum(p.left[phase])
	if phase == phaseCreating {
		open += sum(p.left[phaseStarting])
	}
	return time.Duration(p.rnd.Int64N(int64(window))), open > 0
}

// take takes a fault for a phase; ok is false if none is due that suits.
func (p *plan) take(phase string, suits func(kind string) bool) (kind string, rnd *rand.Rand, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := 0
	for _, k := range kinds {
		if suits(k) {
			all += p.left[phase][k]
		}
	}
	if all == 0 {
		return "", nil, false
	}
	n := p.rnd.IntN(all)
	for _, k := range kinds {
		if suits(k) {
			if n -= p.left[phase][k]; n < 0 {
				p.left[phase][k]--
				return k, rand.New(rand.NewPCG(p.rnd.Uint64(), 0)), true
			}
		}
	}
	return "", nil, false
}

// putBack undoes a take: the fault could not be made.
func (p *plan) putBack(phase, kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left[phase][kind]++
}

// open counts the faults that are still to come.
func (p *plan) open() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, left := range p.left {
		n += sum(left)
	}
	return n
}

func sum(m map[string]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}
