//go:build !davit_bug_unsynced

package store

// sync puts what was committed on the disk.
func (s *Store) sync() error { return s.db.Sync() }
