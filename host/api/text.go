package api

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// checkText refuses strings that are not UTF-8, anywhere in a value. JSON cannot hold
// them: its encoder silently puts other characters in their place, and then another file
// or argument is meant.
func checkText(v any) error { return checkTextOf("", reflect.ValueOf(v)) }

func checkTextOf(path string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return invalid("%s: %q is not UTF-8, as all text has to be here", path, v.String())
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return checkTextOf(path, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Tag.Get("stream") != "" {
				continue
			}
			name := memberName(f)
			if path != "" && !f.Anonymous {
				name = path + "." + name
			} else if f.Anonymous {
				name = path
			}
			if err := checkTextOf(name, v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkTextOf(fmt.Sprintf("%s[%d]", path, i), v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			if err := checkTextOf(path, key); err != nil {
				return err
			}
			if err := checkTextOf(fmt.Sprintf("%s[%v]", path, key), value); err != nil {
				return err
			}
		}
	}
	return nil
}

// memberName returns how a field is named in requests.
func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" {
		name = ""
	}
	return cmp.Or(f.Tag.Get("path"), f.Tag.Get("query"), name, f.Name)
}
