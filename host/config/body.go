package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/davit-run/davit/host/diag"
)

// A body is the contents of a block, an object value, or a file, before it is known what
// may be in it. Files and the values of programs both become bodies, so that all later
// code is written once.
type body struct {
	at    diag.Range // the block's header
	items []item
}

// An item is one `name = value` or `name { … }`.
type item struct {
	name   string
	labels []string
	form   form
	at     diag.Range // the name, or a block's header
	node
}

// A node is a value and its place.
type node struct {
	value any // nil, bool, string, json.Number, []node, *body, unreadable
	place diag.Range
}

// form is how an item was written.
type form int

const (
	attribute form = iota
	block
	either // JSON does not distinguish the two
)

// find returns the first item with a name, or nil.
func (b *body) find(name string) *item {
	if b == nil {
		return nil
	}
	i := slices.IndexFunc(b.items, func(it item) bool { return it.name == name })
	if i < 0 {
		return nil
	}
	return &b.items[i]
}

// locate follows a path as far as b has it, and reports whether that was to its end. The
// range is zero if b has no place.
func (b *body) locate(path ...string) (diag.Range, bool) {
	if b == nil {
		return diag.Range{}, len(path) == 0
	}
	at, v := b.at, any(b)
	for _, name := range path {
		switch parent := v.(type) {
		case *body:
			it := parent.find(name)
			if it == nil {
				return at, false
			}
			at, v = it.at, it.value
		case []node:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(parent) {
				return at, false
			}
			at, v = parent[i].place, parent[i].value
		default:
			return at, false
		}
	}
	return at, true
}

// toBody returns the body of a value that a program or a file put into a Backend.
func toBody(v any) (*body, error) {
	if b, ok := v.(*body); ok {
		return b, nil
	}
	if v == nil {
		return &body{}, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot be encoded as JSON: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("cannot be read back from JSON: %w", err)
	}
	switch b := fromJSON(doc).(type) {
	case nil:
		return &body{}, nil
	case *body:
		return b, nil
	}
	return nil, fmt.Errorf("must encode to a JSON object, not %s", describe(fromJSON(doc)))
}

// fromJSON returns the value of a node for a decoded JSON value.
func fromJSON(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]node, len(v))
		for i := range v {
			list[i].value = fromJSON(v[i])
		}
		return list
	case map[string]any:
		b := &body{}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b.items = append(b.items, item{name: name, form: either, node: node{value: fromJSON(v[name])}})
		}
		return b
	}
	return v
}

// describe names the kind of a value in a message.
func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a bool"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case []node:
		return "a list"
	}
	return "an object"
}
