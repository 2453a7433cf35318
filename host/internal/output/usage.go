package output

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// Usage describes a stream.
type Usage struct {
	// Written is the number of bytes that were ever written, Dropped how many of them,
	// from the start, are not kept any more.
	Written int64 `json:"written"`
	Dropped int64 `json:"dropped,omitempty"`
	// Lost describes what could not be written.
	Lost executor.Loss `json:"lost,omitzero"`
}

// Usage returns how much of the streams of an attempt was written and dropped. Merged
// output counts as stdout.
func (f Files) Usage() (stdout, stderr Usage, err error) {
	for _, one := range f.streams() {
		u := &stdout
		if one.stream == api.Stderr {
			u = &stderr
		}
		file, oerr := linux.Open(one.path, os.O_RDONLY|unix.O_NOFOLLOW)
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
