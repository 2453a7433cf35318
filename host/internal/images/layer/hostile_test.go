package layer

import (
	"encoding/binary"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// sparse returns an archive of a file that is a hole of size bytes, in GNU's format: a
// block of 512 bytes, and the end of the archive.
func sparse(size int64) []byte {
	block := make([]byte, 3*512)
	copy(block, "hole")
	for at, text := range map[int]string{100: "0000644", 108: "0000000", 116: "0000000", 124: "00000000000", 136: "00000000000", 156: "S", 257: "ustar  \x00"} {
		copy(block[at:], text)
	}
	// A map with one part, of no bytes, at the end; and the size. Both are base-256.
	for _, at := range []int{386, 483} {
		block[at] = 0x80
		binary.BigEndian.PutUint64(block[at+4:], uint64(size))
	}
	copy(block[398:], "00000000000")
	sum := 0
	copy(block[148:156], "        ")
	for _, b := range block[:512] {
		sum += int(b)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	return block
}

// oddArchives returns the archives with which Go tests its own reader: of many programs, with
// holes and attributes, and damaged.
func oddArchives(t testing.TB) []string {
	found, err := filepath.Glob(filepath.Join(build.Default.GOROOT, "src/archive/tar/testdata/*.tar"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestOddArchives unpacks archives as others write them. Each is unpacked, or is invalid.
func TestOddArchives(t *testing.T) {
	all := oddArchives(t)
	if len(all) == 0 {
		t.Skip("Go's sources are not here")
	}
	unpacked := 0
	for _, path := range all {
		archive, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := newTestStore(t)
		s.limits = Limits{Bytes: 1 << 30}
		err = s.Make(t.Context(), []Layer{plain(archive)}, nil)
		if err == nil {
			unpacked++
		} else if executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%s: got %v, want it unpacked or invalid", filepath.Base(path), err)
		}
		s.empty(t, s.tmp)
	}
	if unpacked < len(all)/2 {
		t.Errorf("only %d of %d were unpacked", unpacked, len(all))
	}
}
