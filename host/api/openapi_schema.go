package api

import (
	_ "embed"
	"encoding"
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// use says where a type is used.
type use int

const (
	reply     use = iota // members may be added later
	input                // unknown members are refused, and none has to be there
	parameter            // of a path or query
)

// schemas makes the schemas of Go types, as encoding/json and bind.go write them.
type schemas struct {
	components map[string]any
	names      map[reflect.Type]map[use]string
	// used has the types whose documentation is wanted, by their names there.
	used map[string]reflect.Type
}

func newSchemas() *schemas {
	return &schemas{components: map[string]any{}, names: map[reflect.Type]map[use]string{}, used: map[string]reflect.Type{}}
}

// of returns the schema of a type. Structs become components.
func (s *schemas) of(t reflect.Type, u use) map[string]any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[duration]():
		return map[string]any{"type": "string", "description": "a duration, such as 1m30s"}
	case reflect.TypeFor[signalName]():
		return map[string]any{"type": "string", "description": "a signal: its name, such as TERM or SIGTERM, or its number"}
	case reflect.TypeFor[time.Duration]():
		return map[string]any{"type": "integer", "format": "int64", "description": "nanoseconds"}
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case reflect.TypeFor[HealthCheck](): // whose JSON is that of the other
		t = reflect.TypeFor[healthCheckText]()
	}
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return s.named(t, map[string]any{"type": "string"})
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem(), u)
	case reflect.String:
		return s.named(t, map[string]any{"type": "string"})
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": "string", "format": "byte"}
		}
		list := map[string]any{"type": "array", "items": s.of(t.Elem(), u)}
		if u != parameter {
			list["nullable"] = true // a nil one
		}
		return list
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem(), u), "nullable": true}
	case reflect.Struct:
		return map[string]any{"$ref": "#/components/schemas/" + s.component(t, u)}
	}
	return map[string]any{} // any value
}

// line returns the schema of a line or message of a stream, of whose members few are there.
func (s *schemas) line(t reflect.Type) map[string]any {
	schema := s.of(t, reply)
	if object, ok := s.components[s.component(t, reply)].(map[string]any); ok {
		delete(object, "required")
	}
	return schema
}

// named adds the documentation of a named type that is no struct.
func (s *schemas) named(t reflect.Type, schema map[string]any) map[string]any {
	if t.PkgPath() != "" {
		if doc := s.doc(t, ""); doc != "" {
			schema["description"] = doc
		}
	}
	return schema
}

// component returns the name of a struct's schema, and makes it if need be.
func (s *schemas) component(t reflect.Type, u use) string {
	if name := s.names[t][u]; name != "" {
		return name
	}
	name := componentName(t)
	if _, taken := s.components[name]; taken { // by the same type in the other use
		name += "Input"
	}
	if s.names[t] == nil {
		s.names[t] = map[use]string{}
	}
	s.names[t][u] = name
	object := map[string]any{"type": "object"}
	s.components[name] = object // before its members, which may have it again
	properties := map[string]any{}
	required := []string{}
	for _, f := range members(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		schema := s.of(f.Type, u)
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if f.Type.Kind() == reflect.Pointer && !optional {
			schema = nullable(schema)
		}
		if optional && f.Type.Kind() != reflect.Struct && u == reply {
			delete(schema, "nullable") // it is left out instead
		}
		if doc := s.doc(f.owner, f.Name); doc != "" {
			if _, ref := schema["$ref"]; ref {
				schema = map[string]any{"allOf": []any{schema}}
			}
			schema["description"] = strings.TrimSpace(doc)
		}
		properties[name] = schema
		if !optional && u == reply {
			required = append(required, name)
		}
	}
	object["properties"] = properties
	if len(required) > 0 {
		object["required"] = required
	}
	if u == input {
		object["additionalProperties"] = false
	}
	if doc := s.doc(t, ""); doc != "" {
		object["description"] = doc
	}
	return name
}

// componentName returns the name for a struct: that of the type, with its package unless it
// is of this one.
func componentName(t reflect.Type) string {
	if t == reflect.TypeFor[healthCheckText]() {
		return "HealthCheck"
	}
	name := []rune(t.Name())
	name[0] = unicode.ToUpper(name[0])
	pkg := path.Base(t.PkgPath())
	if pkg == "api" {
		return string(name)
	}
	return pkg + "." + string(name)
}

// member is a field of a struct, or of one that is embedded in it.
type member struct {
	reflect.StructField
	owner reflect.Type
}

// members returns the fields of a struct as encoding/json sees them: those of an embedded
// struct count as its own, unless it has one with that name.
func members(t reflect.Type) (all []member) {
	var embedded []reflect.StructField
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		switch {
		case f.Anonymous && name == "" && typ.Kind() == reflect.Struct:
			f.Type = typ
			embedded = append(embedded, f)
		case f.IsExported():
			all = append(all, member{f, t})
		}
	}
	for _, e := range embedded {
		for _, f := range members(e.Type) {
			if !slices.ContainsFunc(all, func(m member) bool { return m.Name == f.Name }) {
				all = append(all, f)
			}
		}
	}
	return all
}

// docsText has the comments of types and fields, as a JSON object: of those that OpenAPI
// describes. A test makes it from the source.
//
//go:embed openapi_docs.json
var docsText []byte

var docs = sync.OnceValue(func() (all map[string]string) {
	_ = json.Unmarshal(docsText, &all) // a test does it, too
	return all
})

// doc returns the comment of a field, or of a type if field is empty.
func (s *schemas) doc(t reflect.Type, field string) string {
	if t == reflect.TypeFor[healthCheckText]() {
		t = reflect.TypeFor[HealthCheck]()
	}
	key := path.Base(t.PkgPath()) + "." + t.Name()
	s.used[key] = t
	if field != "" {
		key += "." + field
	}
	return docs()[key]
}
