// Package volumes keeps the volumes of a host: directories with names that outlive the
// containers that have them.
//
//	volumes/NAME/volume.json  a copy of the record
//	volumes/NAME/_data        what containers see
//	volumes/.*                what is being made, filled or removed
//
// A volume appears with a name by a rename, and goes by one. What has a name is whole,
// whatever was interrupted.
//
// # Rationale
//
// Why does a volume have a directory before it has a record? The record comes in the same
// transaction as that of the container for which it was made. A host that is killed before
// leaves a directory without a record: the next one removes it if it is anonymous, and
// otherwise makes the record again. So nothing that has a user's name is ever removed
// because of a record that is missing.
//
// Why is a volume filled in another directory? A rename replaces an empty directory by a
// full one at once, and fails if it is not empty. A half-copied volume has no name.
//
// Why is only a volume filled that no container has? A container that runs would still see
// the directory that was replaced.
package volumes
