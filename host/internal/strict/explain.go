package strict

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// Explain returns why a JSON text could not be decoded into a value of type t, in the words
// of JSON: which member is wrong, and what it must be. err is the decoder's error.
func Explain(raw []byte, t reflect.Type, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it is not JSON, at byte %d: %w", syntax.Offset, err)
	}
	if path, typ, fault := faulty(raw, t, ""); fault != nil {
		err = fault
		if typ == reflect.TypeFor[time.Time]() {
			return fmt.Errorf("%s must be a time as in RFC 3339, such as 2006-01-02T15:04:05Z", place(path))
		}
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%s must be %s, not %s", place(path), kindOf(wrong.Type), valueOf(wrong.Value))
		}
		if path != "" {
			return fmt.Errorf("%s: %w", strconv.Quote(path), err)
		}
	}
	return err
}

// faulty returns the path of the first member, in the order of the fields, that cannot be
// decoded, its type, and the error.
func faulty(raw []byte, t reflect.Type, path string) (string, reflect.Type, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	err := json.Unmarshal(raw, reflect.New(t).Interface())
	if err == nil {
		return "", nil, nil
	}
	inner := structure(t)
	if inner == nil {
		return path, t, err
	}
	switch inner.Kind() {
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			break
		}
		fields, _ := fieldsOf(inner)
		for name, value := range members {
			if f, ok := fields[fold(name)]; ok {
				if at, typ, err := faulty(value, f.typ, member(path, name)); err != nil {
					return at, typ, err
				}
			}
		}
	case reflect.Slice, reflect.Array:
		var elements []json.RawMessage
		if json.Unmarshal(raw, &elements) != nil {
			break
		}
		for i, value := range elements {
			if at, typ, err := faulty(value, inner.Elem(), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return at, typ, err
			}
		}
	case reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			break
		}
		for name, value := range members {
			if at, typ, err := faulty(value, inner.Elem(), member(path, name)); err != nil {
				return at, typ, err
			}
		}
	}
	return path, t, err
}

// kindOf says which JSON a type takes.
func kindOf(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "a string"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("a whole number of %d bits", t.Bits())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("a whole number of %d bits that is not negative", t.Bits())
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a string of base64"
		}
		return "a list"
	}
	return "an object"
}

// valueOf says what stood there, as the decoder calls it.
func valueOf(value string) string {
	switch value {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	case "string", "number":
		return "a " + value
	}
	return value // "number 1.5"
}
