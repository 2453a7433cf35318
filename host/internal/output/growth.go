package output

import "github.com/davit-run/davit/host/api"

// Growth says what became of a stream of output, in bytes.
type Growth struct {
	Stream api.Stream
	// Written is how much was written, Dropped how much of what was written is not kept any
	// more, and Lost how much could not be written.
	Written, Dropped, Lost int64
}

// tell tells the tracker's owner what became of a stream since it was told before. What was
// there when the stream began to be tracked is not told.
func (t *Tracker) tell(s *tracked) {
	now := Growth{Stream: s.stream, Written: max(s.size, s.told.Written), Dropped: max(s.low, s.told.Dropped), Lost: max(s.missing, s.told.Lost)}
	if now == s.told {
		return
	}
	more := Growth{Stream: s.stream, Written: now.Written - s.told.Written, Dropped: now.Dropped - s.told.Dropped, Lost: now.Lost - s.told.Lost}
	s.told = now
	t.grown(more)
}
