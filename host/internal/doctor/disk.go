package doctor

import (
	"context"
	"path/filepath"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

var _ = add(65, "disk", lookAtDisk)

// Room on the disk of the state. A commit needs some kilobytes; an image, and the output of a
// chatty container, hundreds of megabytes.
const (
	leastRoom  = 64 << 20
	wantRoom   = 2 << 30
	leastInode = 1000
	wantInode  = 50_000
)

func lookAtDisk(_ context.Context, p *Patient, r *report) {
	dir := existing(p.Config.StateDir)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		r.unread(dir, err)
		return
	}
	free := st.Bavail * uint64(st.Bsize)
	text := units.BytesSize(float64(free))
	const remedy = "davit system df shows what takes room, and davit prune, davit image prune and davit volume prune make some"
	switch {
	case free < leastRoom:
		r.fail(remedy, "%s are free on the disk of %s: soon nothing can be recorded", text, dir)
	case free < wantRoom:
		r.warn(remedy, "%s are free on the disk of %s", text, dir)
	default:
		r.ok("%s are free on the disk of %s", text, dir)
	}
	if st.Files == 0 {
		return // a file system that makes them as needed
	}
	switch {
	case st.Ffree < leastInode:
		r.fail(remedy, "%d inodes are free there: soon no file can be made", st.Ffree)
	case st.Ffree < wantInode:
		r.warn(remedy, "%d inodes are free there: an image has tens of thousands of files", st.Ffree)
	default:
		r.ok("%d inodes are free there", st.Ffree)
	}
}

func parent(dir string) string { return filepath.Dir(dir) }
