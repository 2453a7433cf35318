package process

// Key is part of the names of the cgroups of the backend.
func (b *Backend) Key() string { return b.owner.Key() }
