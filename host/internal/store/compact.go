package store

import "os"

const (
	// A file is compacted when the store is opened if it has more than compactAbove bytes,
	// and more than compactFactor times as many as its records. bbolt keeps free pages for
	// later writes and never returns them.
	compactAbove  = 16 << 20
	compactFactor = 4
)

// openCompact opens the file that was inspected, and compacts it if it is mostly empty.
// A disk without room for a second file is no reason not to open the first one.
func (s *Store) openCompact(in inspection) error {
	info, err := os.Stat(s.path)
	if err != nil || info.Size() <= compactAbove || info.Size() <= compactFactor*in.bytes {
		return s.openBolt(s.path)
	}
	in.compact = true
	before := s.head
	if s.replace(in) == nil {
		return nil
	}
	if s.db != nil && !s.dead.Load() {
		_ = s.db.Close()
	}
	_ = os.Remove(s.path + building)
	s.head, s.broken = before, nil
	return s.openBolt(s.path)
}
