package volumes

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/internal/archive"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// fill makes an empty volume the same as a directory of a root file system, with its owner
// and mode. It does nothing to one that is not empty, nor where the root file system has no
// directory. The caller has the lock of the volume.
func (m *Manager) fill(ctx context.Context, name, root, target string) error {
	if left, err := os.ReadDir(m.Path(name)); err != nil || len(left) > 0 {
		return err
	}
	tree, err := archive.OpenRoot(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	from, err := tree.Open(target, true)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	if info, err := from.Stat(); err != nil || !info.IsDir() {
		return err
	}
	draft, err := m.draft()
	if err != nil {
		return explain(m.dir, err)
	}
	defer m.discard(draft)
	copied := filepath.Join(draft, dataDir)
	if err := copyDir(ctx, from, copied); err != nil {
		return explain(m.dir, err)
	}
	err = unix.Rename(copied, m.Path(name))
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return nil // somebody has put something there meanwhile, through its path
	}
	if err == nil {
		err = linux.SyncDir(filepath.Join(m.dir, name))
	}
	if err != nil {
		return explain(m.dir, err)
	}
	return nil
}

// copyDir makes a copy of a directory, and returns when it is on disk.
func copyDir(ctx context.Context, from *os.File, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	tree, err := archive.OpenDir(to)
	if err != nil {
		return err
	}
	defer tree.Close()
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Cause(ctx)) })
	defer stop()
	packed := make(chan error, 1)
	go func() {
		err := archive.Pack(w, from, ".", archive.IDs{})
		_ = w.CloseWithError(err)
		packed <- err
	}()
	err = tree.Unpack("/", r, archive.UnpackOptions{KeepOwners: true})
	_ = r.CloseWithError(errors.New("it was not unpacked")) // then nobody waits to write
	if perr := <-packed; err == nil {
		err = perr
	}
	if err == nil {
		err = likeDir(from, to)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(to)
	if err != nil {
		return err
	}
	return errors.Join(os.NewSyscallError("syncfs", unix.Syncfs(int(d.Fd()))), d.Close())
}

// likeDir gives a directory the owner, the mode and the time of another one.
func likeDir(from *os.File, to string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &st); err != nil {
		return err
	}
	if err := unix.Lchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(to, st.Mode&0o7777); err != nil {
		return err
	}
	return unix.UtimesNano(to, []unix.Timespec{st.Atim, st.Mtim})
}
