package output

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/internal/stream"
	"github.com/davit-run/davit/shared/executor"
)

// Usage describes a stream.
type Usage struct {
	// Written is all that was ever written, Dropped what is gone of it from its
	// start, in bytes.
	Written int64 `json:"written"`
	Dropped int64 `json:"dropped,omitempty"`
	// Lost is what was never written.
	Lost executor.Loss `json:"lost,omitzero"`
}

// Usage gives what the streams of an attempt have written and dropped. Merged
// output counts as stdout.
func (f Files) Usage() (stdout, stderr Usage, err error) {
	for _, one := range f.streams() {
		u := &stdout
		if one.stream == stream.Stderr {
			u = &stderr
		}
		file, oerr := os.OpenFile(one.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if oerr != nil {
			return stdout, stderr, fileError(oerr)
		}
		st, serr := file.Stat()
		if serr == nil {
			u.Written, u.Dropped = st.Size(), firstData(file, st.Size())
		}
		file.Close()
		if serr == nil {
			u.Lost, serr = executor.ReadLoss(one.path)
		}
		if serr != nil {
			return stdout, stderr, fileError(serr)
		}
	}
	return stdout, stderr, nil
}
