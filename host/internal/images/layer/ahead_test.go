package layer

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// TestAhead reads streams of lengths around that of a part, to their end and with errors, and
// leaves some in the middle.
func TestAhead(t *testing.T) {
	noise := make([]byte, 20*partSize)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	broken := errors.New("broken")
	for _, n := range []int{0, 1, partSize - 1, partSize, partSize + 1, 3 * partSize, len(noise)} {
		for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, broken} {
			var sum bytes.Buffer
			a := readAhead(io.MultiReader(iotest.HalfReader(bytes.NewReader(noise[:n])), iotest.ErrReader(end)), &sum)
			got, err := io.ReadAll(a)
			a.close()
			if errors.Is(end, io.EOF) && err != nil || !errors.Is(end, io.EOF) && !errors.Is(err, end) {
				t.Errorf("%d bytes and %v: got %v", n, end, err)
			}
			if !bytes.Equal(got, noise[:n]) || !bytes.Equal(sum.Bytes(), noise[:n]) {
				t.Errorf("%d bytes: got %d, and %d in the sum", n, len(got), sum.Len())
			}
		}
	}
	a := readAhead(bytes.NewReader(noise), io.Discard)
	if _, err := io.ReadFull(a, make([]byte, 10)); err != nil {
		t.Error(err)
	}
	a.close()
}
