package containers

// carryOn calls fn, which records what is wanted of a container and then does it. If fn
// panics, and whoever serves the request recovers from that, nobody would do what is recorded
// before the next host: so it is done in the background, as that would do it.
func (m *Manager) carryOn(id string, fn func() error) error {
	done := false
	defer func() {
		if done {
			return
		}
		if c, err := m.record(id); err == nil {
			m.pursue(c)
		}
	}()
	err := fn()
	done = true
	return err
}
