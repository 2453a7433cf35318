package host

import (
	"bytes"

	"github.com/davit-run/davit/shared/failpoint"
)

// misread spoils output as the storm's deliberate bugs say. In normal builds it
// does nothing.
func misread(data []byte) []byte {
	end := bytes.IndexByte(data, '\n') + 1
	switch {
	case failpoint.Bug("line-lost"):
		return data[end:]
	case failpoint.Bug("line-torn") && end > 1:
		return data[1:]
	case failpoint.Bug("line-doubled"):
		return append(bytes.Clone(data[:end]), data...)
	}
	return data
}
