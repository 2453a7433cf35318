// Package strict refuses JSON that two readers may take for different things.
//
// encoding/json takes the last of two members with one name, and any case for a name:
// who looks for "hooks" does not find "HOOKS", and the runtime runs them. The decoder of
// another language takes the first, or refuses the text.
package strict

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// maxDepth is how deep values may be nested. encoding/json has the same limit.
const maxDepth = 10_000

// Check returns an error if an object in a JSON text has two members of one name, or one
// that differs from the name of a field only in case. t is the type that the text is
// decoded into.
func Check(raw []byte, t reflect.Type) error {
	c := checker{dec: json.NewDecoder(bytes.NewReader(raw))}
	c.dec.UseNumber()
	if err := c.value(t, ""); err != nil {
		return err
	}
	if _, err := c.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the document holds more than one JSON value")
	}
	return nil
}

type checker struct {
	dec   *json.Decoder
	depth int
}

// value checks the next value. t is nil where nothing is known of its type.
func (c *checker) value(t reflect.Type, path string) error {
	token, err := c.dec.Token()
	if err != nil {
		return err
	}
	if c.depth++; c.depth > maxDepth {
		return errors.New("values are nested too deep")
	}
	defer func() { c.depth-- }()
	switch token {
	case json.Delim('{'):
		return c.object(structure(t), path)
	case json.Delim('['):
		t = structure(t)
		for i := 0; c.dec.More(); i++ {
			if err := c.value(element(t, reflect.Slice, reflect.Array), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		_, err = c.dec.Token()
	}
	return err
}

func (c *checker) object(t reflect.Type, path string) error {
	fields, known := fieldsOf(t)
	seen := map[string]string{}
	for c.dec.More() {
		token, err := c.dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		key := name
		if known {
			key = fold(name)
		}
		if other, ok := seen[key]; ok {
			return fmt.Errorf("%s has both %q and %q; keep one of them", place(path), other, name)
		}
		seen[key] = name
		next := element(t, reflect.Map)
		if f, ok := fields[fold(name)]; ok {
			if f.name != name {
				return fmt.Errorf("%q must be written %q", member(path, name), f.name)
			}
			next = f.typ
		}
		if err := c.value(next, member(path, name)); err != nil {
			return err
		}
	}
	_, err := c.dec.Token()
	return err
}

func member(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func place(path string) string {
	if path == "" {
		return "the document"
	}
	return strconv.Quote(path)
}

// fold maps all names that encoding/json takes for the same to one of them.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

type field struct {
	name string
	typ  reflect.Type
}

// fieldsOf returns the fields of a struct by their folded names. known is false for other
// types.
func fieldsOf(t reflect.Type) (fields map[string]field, known bool) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, false
	}
	fields = map[string]field{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() || f.Anonymous && name == "":
			continue
		case name == "":
			name = f.Name
		}
		fields[fold(name)] = field{name, f.Type}
	}
	return fields, true
}

// structure returns what a type is decoded as, and nil for one that decodes itself.
func structure(t reflect.Type) reflect.Type {
	for t != nil {
		for _, own := range []reflect.Type{t, reflect.PointerTo(t)} {
			if own.Implements(reflect.TypeFor[json.Unmarshaler]()) || own.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
				return nil
			}
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// element returns the type of the elements of t if t is of one of the kinds, or nil.
func element(t reflect.Type, kinds ...reflect.Kind) reflect.Type {
	for _, kind := range kinds {
		if t != nil && t.Kind() == kind {
			return t.Elem()
		}
	}
	return nil
}
