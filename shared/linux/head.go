package linux

import "bytes"

// Head is an [io.Writer] that keeps the beginning of what is written, up to Most bytes,
// and discards the rest. It is for the output of programs that are not our own.
type Head struct {
	Most int
	kept bytes.Buffer
}

// Write implements io.Writer. It never fails, so that the program is not disturbed.
func (h *Head) Write(p []byte) (int, error) {
	h.kept.Write(p[:min(len(p), h.Most-h.kept.Len())])
	return len(p), nil
}

// Bytes returns what was kept.
func (h *Head) Bytes() []byte { return h.kept.Bytes() }

// String returns what was kept.
func (h *Head) String() string { return h.kept.String() }
