package disktest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Block is an ext4 file system on a block device of its own, whose power can be
// cut: what was not synced by then is gone, as far as the kernel had not written
// it by itself.
type Block struct{ dir, image string }

// MountBlock makes a file system of size bytes in a new file, image, and mounts it
// on a directory, which it makes.
func MountBlock(dir, image string, size int64) (*Block, error) {
	b := &Block{dir: dir, image: image}
	f, err := os.OpenFile(image, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	err = f.Truncate(size)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = command("mkfs.ext4", "-q", "-F", image)
	}
	if err == nil {
		err = b.Mount()
	}
	return b, err
}

// Mount mounts the file system again, with what has survived.
func (b *Block) Mount() error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err := command("mount", "-o", "loop", b.image, b.dir); err != nil {
			return err
		}
		// A container that somebody starts just now may have had a copy of the mount
		// that was taken away, for a moment. What was mounted then is the same again,
		// without power.
		probe := filepath.Join(b.dir, ".probe")
		err := os.WriteFile(probe, nil, 0o600)
		if err == nil {
			return os.Remove(probe)
		}
		if !errors.Is(err, unix.EIO) || time.Now().After(deadline) {
			return errors.Join(err, b.Unmount())
		}
		if err := b.Unmount(); err != nil {
			return err
		}
	}
}

// Cut makes the file system write nothing to its device any more, not even its
// journal. From then on all that uses it fails.
func (b *Block) Cut() error {
	const shutdown, noFlush = 0x8004587d, 2 // EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
	f, err := os.Open(b.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noFlush); err != nil {
		return fmt.Errorf("cutting off %s: %w", b.dir, err)
	}
	return nil
}

// Unmount takes the file system away. Whatever uses it must be gone.
func (b *Block) Unmount() error { return unix.Unmount(b.dir, 0) }

// Users returns the processes that have files open on the file system.
func (b *Block) Users() (pids []int, err error) {
	var on unix.Stat_t
	if err := unix.Stat(b.dir, &on); err != nil {
		return nil, err
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		fds, _ := os.ReadDir("/proc/" + p.Name() + "/fd")
		for _, fd := range fds {
			var st unix.Stat_t
			if unix.Stat("/proc/"+p.Name()+"/fd/"+fd.Name(), &st) == nil && st.Dev == on.Dev {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids, nil
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
