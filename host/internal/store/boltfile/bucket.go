package boltfile

// bucket visits the records of a bucket. The bucket is an element of the root tree.
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
	page := w.read(w.commit.freelist, 0)
	if page == nil {
		return
	}
	if kind := order.Uint16(page[8:]); kind != pageFreelist {
		w.problem("page %d has kind %#x, which is not that of a free list", w.commit.freelist, kind)
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
		if id < 2 || id >= w.commit.pages || w.seen[id] {
			w.problem("page %d is in the free list but not free", id)
			continue
		}
		w.seen[id] = true
	}
}
