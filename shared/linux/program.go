package linux

import (
	"errors"
	"os"
	"syscall"
)

// WriteProgram writes a file that can be executed when it returns. A process that is forked
// while a file is open for writing has it open, too, and until it has called exec nobody
// can execute the file (ETXTBSY). So nothing is forked meanwhile.
func WriteProgram(path string, content []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Chmod(mode), f.Close()) // whatever the umask is
}
