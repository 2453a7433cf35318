//go:build davit_bug_unsynced

package store

// sync is a deliberate mistake: it leaves to the kernel when a commit reaches the
// disk. The test that cuts the power has to find it.
func (s *Store) sync() error { return nil }
