package store

// Ended reports whether the present attempt of a container has ended for good, or there was
// none.
func (c *Container) Ended() bool {
	return c.State == Created || c.State == Released || c.State == Failed
}

// Publishes reports whether a container is to have its ports: from the moment in which it is
// to be started until it has ended for good, while it is on a network.
func (c *Container) Publishes() bool {
	return len(c.Publish) > 0 && !c.Unconnected && (!c.Ended() || !c.RestartAt.IsZero() && c.State != Created)
}
