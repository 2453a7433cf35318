package oci

import (
	"errors"
	"fmt"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// CheckNamespaces checks that a daemon, whose OCI runtimes open them, sees the namespaces that a
// spec joins as this process does: they are files that are mounted, and those in another mount
// namespace may lack them. The runtime's own error would say nothing of that. name is how the
// error calls the daemon. Namespaces that this process does not see, or a daemon into whose files
// it may not look, are left to the runtime.
func (s Spec) CheckNamespaces(name string, pid int) error {
	for _, path := range s.Namespaces {
		ours, ok, err := namespaceAt(path)
		if err != nil || !ok {
			continue
		}
		theirs, ok, err := namespaceAt(fmt.Sprintf("/proc/%d/root%s", pid, path))
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ESRCH) || ok && theirs == ours {
			continue
		}
		return executor.Errorf(executor.FailedPrecondition, "%s (pid %d) does not see the namespace %s: it is in another mount namespace than davit; start both in the same one, or let mounts reach it, which those below a directory do that is shared there (mount --make-rshared, and in the unit of a service no PrivateMounts, PrivateTmp or ProtectSystem), or use --network none or host", name, pid, path)
	}
	return nil
}

// namespaceAt returns which namespace is at a path. ok is false if what is there is none.
func namespaceAt(path string) (inode uint64, ok bool, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, false, err
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, false, err
	}
	return st.Ino, fs.Type == unix.NSFS_MAGIC, nil
}
