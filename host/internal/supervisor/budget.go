package supervisor

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// An executor may log budgetBurst bytes at once, and budgetRate bytes a second over
	// time. Seen of one that logs at debug level: 2 KB/s.
	budgetBurst = 1 << 20
	budgetRate  = 32 << 10
	// budgetLine is what a line costs besides its bytes.
	budgetLine = 100
	// budgetNotice is how often it is said that lines are dropped.
	budgetNotice = 10 * time.Second
)

// budget bounds what an executor may add to the host's log.
type budget struct {
	left     int
	filled   time.Time
	dropped  int64 // bytes, since it was last said
	reported time.Time
}

func newBudget() budget { return budget{left: budgetBurst, filled: time.Now()} }

// spend reports whether a line may be logged.
func (b *budget) spend(size int, now time.Time) bool {
	if earned := now.Sub(b.filled).Seconds() * budgetRate; earned >= 1 {
		b.left = min(budgetBurst, b.left+int(min(earned, budgetBurst)))
		b.filled = now
	}
	if cost := size + budgetLine; cost <= b.left {
		b.left -= cost
		return true
	}
	b.drop(int64(size))
	return false
}

// drop counts bytes that are not logged.
func (b *budget) drop(size int64) { b.dropped += size }

// reportNow says what was dropped, unless that was said a moment ago.
func (b *budget) reportNow(logger hclog.Logger, now time.Time) {
	if now.Sub(b.reported) >= budgetNotice {
		b.reported = now
		b.report(logger)
	}
}

// report says what was dropped.
func (b *budget) report(logger hclog.Logger) {
	if b.dropped > 0 {
		logger.Warn("the executor logs more than the host's log takes: some of it was dropped", "bytes", b.dropped)
		b.dropped = 0
	}
}
