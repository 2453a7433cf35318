package transport

import (
	"context"
	"errors"
	"time"
)

// How long calls may take. The limit is sent to the peer, which stops working on the
// call by then. A correct peer answers in a small part of it. A peer that has not
// answered a quarter later hangs.
const (
	// Ask is for what changes nothing. Seen: milliseconds; a check may have to start
	// programs.
	Ask = 20 * time.Second
	// Act is for changes to a running process. Seen: milliseconds, and seconds where
	// a program has to be started for it on a loaded machine.
	Act = 20 * time.Second
	// Start is for what starts something, unless the caller says otherwise ([Within]).
	// Seen: 50 ms; a loaded machine may take many seconds, and hooks take what they like.
	Start = 2 * time.Minute
	// Write is for what writes the memory of processes to disk. 10 GB take a minute or two
	// on a slow one.
	Write = 10 * time.Minute
	// End is for what ends or removes something.
	End = 60 * time.Second
	// Report is for what the host commits to disk.
	Report = 30 * time.Second
)

// undo is how long a peer may take, at least, to undo what it has begun when a limit of
// the caller's own is over. Seen: less than a second.
const undo = 30 * time.Second

// Within returns a context whose calls may take d, instead of what their method allows.
// It is for starts: only users know how long their hooks take.
func Within(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, ownKey{}, d)
}

type ownKey struct{}

// limits returns how long the peer may work on a call of a method with a limit, and how
// long the caller waits for its answer. The peer's time is the shorter one, so that it
// can say what became of the call.
func limits(ctx context.Context, method time.Duration) (limit, patience time.Duration) {
	if own, ok := ctx.Value(ownKey{}).(time.Duration); ok {
		return own, own + max(own/4, undo)
	}
	return method, method + method/4
}

// ErrNoAnswer is wrapped by errors of calls that were not answered long after the
// limit of their method, although the caller would have waited longer. The peer
// hangs.
var ErrNoAnswer = errors.New("no answer in time")

// limitError is the cause of a call's end by its method's limit.
type limitError struct{ limit time.Duration }

func (e limitError) Error() string   { return "not within " + e.limit.String() }
func (e limitError) Unwrap() []error { return []error{ErrNoAnswer, context.DeadlineExceeded} }

type limitKey struct{}

// withLimit returns a context whose calls carry limit as the peer's deadline. The
// caller may wait longer, for the answer that reports the deadline.
func withLimit(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, limitKey{}, limit)
}

// timeoutOf returns how long the peer of a call may work on it, in nanoseconds; 0 is
// no limit.
func timeoutOf(ctx context.Context) int64 {
	limit, limited := ctx.Value(limitKey{}).(time.Duration)
	deadline, ok := ctx.Deadline()
	switch {
	case ok && limited:
		return max(1, min(int64(limit), int64(time.Until(deadline))))
	case ok:
		return max(1, int64(time.Until(deadline)))
	}
	return int64(limit)
}
