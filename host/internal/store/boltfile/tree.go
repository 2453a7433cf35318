package boltfile

import (
	"bytes"
	"fmt"
)

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
