// Package line is the form of the lines that the storm's workloads print: each
// says which it is, and carries a checksum.
package line

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"
)

const filler = "the quick brown fox jumps over the lazy dog and runs through the storm until all of its lines are on the disk; "

// Append appends line number n of a stream: its letter and number, a filler whose
// length changes, and the checksum of all that.
func Append(b []byte, stream byte, n uint64) []byte {
	start := len(b)
	b = append(b, stream)
	b = fmt.Appendf(b, "%08d ", n)
	b = append(b, filler[:n*31%uint64(len(filler))]...)
	return fmt.Appendf(b, " %08x\n", crc32.ChecksumIEEE(b[start:]))
}

// Parse returns the number of a line, without its newline. Not ok is a line that
// was torn or changed.
func Parse(text []byte, stream byte) (n uint64, ok bool) {
	at := bytes.LastIndexByte(text, ' ')
	if at < 9 || text[0] != stream || len(text)-at != 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[1:9]), 10, 64)
	if err != nil {
		return 0, false
	}
	sum, err := strconv.ParseUint(string(text[at+1:]), 16, 32)
	return n, err == nil && uint32(sum) == crc32.ChecksumIEEE(text[:at])
}
