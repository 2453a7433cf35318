package linux

import "os"

// Claim makes an empty file. Of those who claim one, the first succeeds, and the others
// get [os.ErrExist].
func Claim(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
