package backends

import "time"

// Observer is told of each call of [On]. Its method is called by many goroutines, and must
// return at once.
type Observer interface {
	// Called says that a method of a backend was called, how long the caller waited for the
	// answer, and what came of it.
	Called(backend, method string, took time.Duration, err error)
}

// unobserved is the Observer of a Set that has none.
type unobserved struct{}

func (unobserved) Called(string, string, time.Duration, error) {}
