package backends

import (
	"fmt"

	"github.com/davit-run/davit/host/internal/supervisor"
)

// Unwatched says why nobody looks after the containers of a backend, or returns "".
func (s *Set) Unwatched(backend string) string {
	b := s.named(backend)
	switch {
	case b == nil:
		return Removed(backend)
	case b.Backend == nil: // about to start
		return ""
	}
	if info := b.Info(); info.State == supervisor.Failed {
		return fmt.Sprintf("backend %s has failed, and is tried again: %s", backend, info.LastError)
	}
	return ""
}

// Removed says what follows from it that a backend is not in the config.
func Removed(backend string) string {
	return fmt.Sprintf("backend %s is no longer in the config; its containers run on, and are looked after again when it is back", backend)
}
