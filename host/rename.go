package host

import "context"

// Rename gives a container another name. The error for a name that is another container's
// is [executor.AlreadyExists].
func (h *Host) Rename(ctx context.Context, reference, name string) error {
	return h.containers.Rename(ctx, reference, name)
}
