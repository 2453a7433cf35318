package boltfile

import (
	"fmt"
	"io"
)

// MaxProblems is the most problems that are reported of a commit.
const MaxProblems = 20

// maxDepth is far beyond the depth of any tree that fits in a file.
const maxDepth = 32

// walker goes through the tree of one commit and collects what is wrong with it. It
// trusts nothing that it reads: it checks every offset, and visits every page at most
// once.
type walker struct {
	r      io.ReaderAt
	commit Commit
	// record is called for every element of every bucket. Key and value are valid during
	// the call.
	record func(bucket string, key, value []byte)

	problems []string
	buckets  []string
	seen     []bool   // by page
	buffers  [][]byte // by depth
}

// Walk calls record for all records of a commit; size is that of the file. It returns the
// buckets and the problems that it found, at most [MaxProblems] of them: none if bbolt
// can use the tree. Key and value are valid during the call of record.
func (c Commit) Walk(r io.ReaderAt, size int64, record func(bucket string, key, value []byte)) (buckets, problems []string) {
	w := &walker{r: r, commit: c, record: record}
	if c.pages < 4 || c.pages > uint64(size/c.pageSize) {
		// The rest was cut off. Go on with the pages that there are.
		w.problem("the file has %d bytes, %d pages of %d are recorded", size, c.pages, c.pageSize)
		w.commit.pages = min(c.pages, uint64(size/c.pageSize))
	}
	w.seen = make([]bool, w.commit.pages)
	w.tree(c.root, 0, nil, nil, w.bucket)
	w.freelist()
	for id, seen := range w.seen {
		if id >= 2 && !seen {
			w.problem("page %d is neither used nor free", id)
		}
	}
	return w.buckets, w.problems
}

func (w *walker) problem(format string, args ...any) {
	if len(w.problems) < MaxProblems {
		w.problems = append(w.problems, fmt.Sprintf(format, args...))
	}
}

// read returns a page with those that it overflows into, or nil. It is valid until the
// next page is read at this depth.
func (w *walker) read(id uint64, depth int) []byte {
	if depth >= maxDepth {
		w.problem("page %d is %d levels deep", id, depth)
		return nil
	}
	if id < 2 || id >= w.commit.pages {
		w.problem("page %d is outside of the file", id)
		return nil
	}
	var head [pageHeader]byte
	at := int64(id) * w.commit.pageSize
	if _, err := w.r.ReadAt(head[:], at); err != nil {
		w.problem("page %d: %v", id, err)
		return nil
	}
	if got := order.Uint64(head[:]); got != id {
		w.problem("page %d calls itself %d", id, got)
		return nil
	}
	count := uint64(order.Uint32(head[12:])) + 1
	if count > w.commit.pages-id {
		w.problem("page %d overflows into %d pages, beyond the end", id, count-1)
		return nil
	}
	for i := id; i < id+count; i++ {
		if w.seen[i] {
			w.problem("page %d is used twice", i)
			return nil
		}
	}
	for i := id; i < id+count; i++ {
		w.seen[i] = true
	}
	for len(w.buffers) <= depth {
		w.buffers = append(w.buffers, nil)
	}
	size := int(int64(count) * w.commit.pageSize)
	if cap(w.buffers[depth]) < size {
		w.buffers[depth] = make([]byte, size)
	}
	page := w.buffers[depth][:size]
	if _, err := w.r.ReadAt(page, at); err != nil {
		w.problem("page %d: %v", id, err)
		return nil
	}
	return page
}
