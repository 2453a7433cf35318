package boltfile

import (
	"encoding/binary"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file, version 2, in the machine's byte order. Every page
// starts with its number (8 bytes), kind (2), count of elements (2), and the
// number of pages that it overflows into (4). Numbers of pages count from 0.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	minPage = 1 << 10
	maxPage = 64 << 10

	pageHeader  = 16
	elementSize = 16
	metaSize    = 64
	bucketSize  = 16 // number of the root page, sequence

	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageFreelist = 0x10

	bucketElement = 1
)

var order = binary.NativeEndian

// Commit is the contents of a meta page, which says where the tree of one commit starts.
type Commit struct {
	// ID is the number of the transaction.
	ID uint64

	pageSize int64
	root     uint64 // page of the bucket of buckets
	freelist uint64 // page of the free list
	pages    uint64 // all pages of the commit have a lower number
}

// Commits returns the commits whose meta pages are valid, newest first. A whole file has
// two.
func Commits(r io.ReaderAt, size int64) []Commit {
	var found []Commit
	if c, ok := readMeta(r, 0); ok {
		found = append(found, c)
	}
	for pageSize := int64(minPage); pageSize <= maxPage && pageSize < size && len(found) < 2; pageSize *= 2 {
		if c, ok := readMeta(r, pageSize); ok && c.pageSize == pageSize {
			found = append(found, c)
		}
	}
	if len(found) == 2 && found[1].ID > found[0].ID {
		found[0], found[1] = found[1], found[0]
	}
	return found
}

func readMeta(r io.ReaderAt, at int64) (Commit, bool) {
	var buf [pageHeader + metaSize]byte
	if _, err := r.ReadAt(buf[:], at); err != nil {
		return Commit{}, false
	}
	b := buf[pageHeader:]
	h := fnv.New64a()
	h.Write(b[:56])
	c := Commit{
		ID:       order.Uint64(b[48:]),
		pageSize: int64(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
	}
	ok := order.Uint32(b) == boltMagic && order.Uint32(b[4:]) == boltVersion && order.Uint64(b[56:]) == h.Sum64()
	return c, ok && c.pageSize >= minPage && c.pageSize <= maxPage
}
