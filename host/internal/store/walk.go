package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file, version 2, in the machine's byte order. Every page
// starts with its number (8 bytes), kind (2), count of elements (2), and the
// number of pages that it overflows into (4). Numbers of pages count from 0.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader  = 16
	elementSize = 16
	metaSize    = 64
	bucketSize  = 16 // number of the root page, sequence

	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageFreelist = 0x10

	bucketElement = 1

	maxDepth    = 32
	maxProblems = 20
)

var order = binary.NativeEndian

// root is what a meta page says: where one commit's tree starts.
type root struct {
	pageSize int64
	page     uint64 // root of the bucket of buckets
	freelist uint64
	pages    uint64 // all pages of the commit have a lower number
	txid     uint64
}

// readRoots gives the valid meta pages, newest first.
func readRoots(r io.ReaderAt, size int64) []root {
	var roots []root
	if m, ok := readRoot(r, 0); ok {
		roots = append(roots, m)
	}
	for pageSize := int64(1024); pageSize <= 64<<10 && pageSize < size; pageSize *= 2 {
		if m, ok := readRoot(r, pageSize); ok && m.pageSize == pageSize {
			roots = append(roots, m)
		}
	}
	if len(roots) == 2 && roots[1].txid > roots[0].txid {
		roots[0], roots[1] = roots[1], roots[0]
	}
	return roots
}

func readRoot(r io.ReaderAt, at int64) (root, bool) {
	var buf [pageHeader + metaSize]byte
	if _, err := r.ReadAt(buf[:], at); err != nil {
		return root{}, false
	}
	b := buf[pageHeader:]
	h := fnv.New64a()
	h.Write(b[:56])
	m := root{
		pageSize: int64(order.Uint32(b[8:])),
		page:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	ok := order.Uint32(b) == boltMagic && order.Uint32(b[4:]) == boltVersion && order.Uint64(b[56:]) == h.Sum64()
	return m, ok && m.pageSize >= 1024 && m.pageSize <= 64<<10
}

// walker goes through one commit's tree and reports what is wrong with it. It
// trusts nothing that it reads: every offset is checked, every page is visited
// once at most.
type walker struct {
	r    io.ReaderAt
	root root
	// record gets every element of every bucket. Key and value are valid during
	// the call.
	record func(bucket string, key, value []byte)

	problems []string
	buckets  []string
	seen     []bool   // by page
	buffers  [][]byte // by depth
}

// walk visits all records below a root. It gives the buckets that it found and
// the problems that it met: none for a tree that bbolt can use.
func walk(r io.ReaderAt, size int64, root root, record func(bucket string, key, value []byte)) (buckets, problems []string) {
	w := &walker{r: r, root: root, record: record}
	if root.pages < 4 || root.pages > uint64(size/root.pageSize) {
		// What lies beyond the end was cut off. Go on with what there is.
		w.problem("the file has %d bytes, %d pages of %d are recorded", size, root.pages, root.pageSize)
		w.root.pages = min(root.pages, uint64(size/root.pageSize))
	}
	w.seen = make([]bool, w.root.pages)
	w.tree(root.page, 0, nil, nil, w.bucket)
	w.freelist()
	for id, seen := range w.seen {
		if id >= 2 && !seen {
			w.problem("page %d is neither used nor free", id)
		}
	}
	return w.buckets, w.problems
}

func (w *walker) problem(format string, args ...any) {
	if len(w.problems) < maxProblems {
		w.problems = append(w.problems, fmt.Sprintf(format, args...))
	}
}

// read gives a page with what it overflows into, valid until the next one is
// read at this depth, or nil.
func (w *walker) read(id uint64, depth int) []byte {
	if depth >= maxDepth {
		w.problem("page %d is %d levels deep", id, depth)
		return nil
	}
	if id < 2 || id >= w.root.pages {
		w.problem("page %d is outside of the file", id)
		return nil
	}
	var head [pageHeader]byte
	at := int64(id) * w.root.pageSize
	if _, err := w.r.ReadAt(head[:], at); err != nil {
		w.problem("page %d: %v", id, err)
		return nil
	}
	if got := order.Uint64(head[:]); got != id {
		w.problem("page %d calls itself %d", id, got)
		return nil
	}
	count := uint64(order.Uint32(head[12:])) + 1
	if count > w.root.pages-id {
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
	size := int(int64(count) * w.root.pageSize)
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

// tree visits the leaves below a page whose keys must lie in [low, high).
func (w *walker) tree(id uint64, depth int, low, high []byte, visit func(flags uint32, depth int, key, value []byte)) {
	page := w.read(id, depth)
	if page == nil {
		return
	}
	switch kind := order.Uint16(page[8:]); kind {
	case pageLeaf:
		w.leaf(page, fmt.Sprint(id), depth, low, high, visit)
	case pageBranch:
		w.branch(page, id, depth, low, high, visit)
	default:
		w.problem("page %d has kind %#x, which does not belong in a tree", id, kind)
	}
}

func (w *walker) leaf(page []byte, id string, depth int, low, high []byte, visit func(flags uint32, depth int, key, value []byte)) {
	count := int(order.Uint16(page[10:]))
	for i := range count {
		at := pageHeader + i*elementSize
		if at+elementSize > len(page) {
			w.problem("page %s has %d elements, more than fit", id, count)
			return
		}
		e := page[at:]
		pos, klen, vlen := int64(order.Uint32(e[4:])), int64(order.Uint32(e[8:])), int64(order.Uint32(e[12:]))
		start := int64(at) + pos
		if start < int64(pageHeader+count*elementSize) || start+klen+vlen > int64(len(page)) || klen == 0 {
			w.problem("page %s: element %d is outside of it", id, i)
			continue
		}
		key, value := page[start:start+klen], page[start+klen:start+klen+vlen]
		if !w.inOrder(id, i, key, &low, high) {
			continue
		}
		visit(order.Uint32(e), depth, key, value)
	}
}

func (w *walker) branch(page []byte, id uint64, depth int, low, high []byte, visit func(flags uint32, depth int, key, value []byte)) {
	type child struct {
		page uint64
		key  []byte
	}
	count := int(order.Uint16(page[10:]))
	if count == 0 || pageHeader+count*elementSize > len(page) {
		w.problem("branch page %d cannot have %d elements", id, count)
		return
	}
	var children []child
	for i := range count {
		at := pageHeader + i*elementSize
		e := page[at:]
		pos, klen := int64(order.Uint32(e)), int64(order.Uint32(e[4:]))
		start := int64(at) + pos
		if start < int64(pageHeader+count*elementSize) || start+klen > int64(len(page)) || klen == 0 {
			w.problem("branch page %d: element %d is outside of it", id, i)
			continue
		}
		key := page[start : start+klen]
		if w.inOrder(fmt.Sprint(id), i, key, &low, high) {
			children = append(children, child{order.Uint64(e[8:]), key})
		}
	}
	for i, c := range children {
		end := high
		if i+1 < len(children) {
			end = children[i+1].key
		}
		w.tree(c.page, depth+1, c.key, end, visit)
	}
}

// inOrder checks that a key lies in [low, high) and after the one before it,
// and moves low up to it.
func (w *walker) inOrder(id string, i int, key []byte, low *[]byte, high []byte) bool {
	cmp := bytes.Compare(key, *low)
	if cmp < 0 || cmp == 0 && i > 0 || high != nil && bytes.Compare(key, high) >= 0 {
		w.problem("page %s: key of element %d is out of order", id, i)
		return false
	}
	*low = key
	return true
}

// bucket visits the records of a bucket, which is an element of the root tree.
func (w *walker) bucket(flags uint32, depth int, key, value []byte) {
	name := string(key)
	if flags != bucketElement || len(value) < bucketSize {
		w.problem("%q is not a bucket", name)
		return
	}
	w.buckets = append(w.buckets, name)
	visit := func(flags uint32, _ int, key, value []byte) {
		if flags != 0 {
			w.problem("bucket %s: record %x has flags %#x", name, key, flags)
			return
		}
		w.record(name, key, value)
	}
	if id := order.Uint64(value); id != 0 {
		w.tree(id, depth+1, nil, nil, visit)
		return
	}
	inline := value[bucketSize:] // a small bucket is a page within the element
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != pageLeaf {
		w.problem("bucket %s has neither a page of its own nor one inside", name)
		return
	}
	w.leaf(inline, "in bucket "+name, depth, nil, nil, visit)
}

// freelist marks the free pages.
func (w *walker) freelist() {
	page := w.read(w.root.freelist, 0)
	if page == nil {
		return
	}
	if kind := order.Uint16(page[8:]); kind != pageFreelist {
		w.problem("page %d has kind %#x, which is not that of a free list", w.root.freelist, kind)
		return
	}
	ids, count := page[pageHeader:], uint64(order.Uint16(page[10:]))
	if count == 0xFFFF { // does not fit the field: it is in front of the list
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		w.problem("free list has %d entries, more than fit", count)
		return
	}
	for i := range count {
		id := order.Uint64(ids[i*8:])
		if id < 2 || id >= w.root.pages || w.seen[id] {
			w.problem("page %d is in the free list but not free", id)
			continue
		}
		w.seen[id] = true
	}
}
