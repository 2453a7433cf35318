package api

// bell wakes all who wait for a change. Its owner guards it.
type bell struct{ rung chan struct{} }

// wait returns a channel that is closed at the next ring.
func (b *bell) wait() <-chan struct{} {
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
