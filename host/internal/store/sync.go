package store

// sync writes what was committed to the disk.
func (s *Store) sync() error { return s.db.Sync() }
