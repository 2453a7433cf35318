package api

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/davit-run/davit/host/internal/strict"
	"github.com/davit-run/davit/shared/executor"
)

// The request of a route is a struct. A field with the tag path is a segment of the
// path, and one with the tag query a parameter of the query, which a list has several times. One with the tag stream is an
// io.Reader of all of the body, and the tag its media type. All three have json:"-". The
// other fields are the members of a JSON body, as encoding/json encodes them. A zero
// value is left out. A field that has to distinguish zero from absent is a pointer.

// MaxBody is the maximum size of a request's body, in bytes.
const MaxBody = 8 << 20

// bodyTime is how long a client may take to send a body.
const bodyTime = 30 * time.Second

// hasBody reports whether requests of a type have a body.
func hasBody(t reflect.Type) bool {
	for f := range t.Fields() {
		if f.Tag.Get("json") != "-" {
			return true
		}
	}
	return false
}

// writeRequest returns the target of a request and the value of its body, nil if it has
// none.
func writeRequest(path string, in any) (target string, body any, err error) {
	if err := checkText(in); err != nil {
		return "", nil, err
	}
	v := reflect.ValueOf(in).Elem()
	q := url.Values{}
	for i := range v.NumField() {
		tag, field := v.Type().Field(i).Tag, v.Field(i)
		if name := tag.Get("path"); name != "" {
			before, after, _ := strings.Cut(path, "{"+name+"}")
			segment, err := segment(before, field.String())
			if err != nil {
				return "", nil, err
			}
			path = before + segment + after
		}
		if name := tag.Get("query"); name != "" && !field.IsZero() {
			if list, ok := reflect.TypeAssert[[]string](field); ok {
				q[name] = list
			} else {
				q.Set(name, formatted(field))
			}
		}
		if kind := tag.Get("stream"); kind != "" {
			body = &stream{kind, field.Interface().(io.Reader)}
		}
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	if hasBody(v.Type()) {
		body = in
	}
	return path, body, nil
}

// segment returns an escaped segment of a path. It refuses those that no escaping helps.
// The path before it names what it stands for, in the plural.
func segment(before, s string) (string, error) {
	if s == "" || s == "." || s == ".." {
		what := strings.TrimSuffix(before, "s/")
		return "", executor.Errorf(executor.Invalid, "%q is not the name of a %s", s, what[strings.LastIndex(what, "/")+1:])
	}
	return url.PathEscape(s), nil
}

func formatted(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		text, err := m.MarshalText()
		if err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v.Interface())
}

// readRequest reverses writeRequest. It refuses unknown parameters, so that a misspelt
// one is not ignored.
func readRequest(w http.ResponseWriter, r *http.Request, in any, needsBody bool) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("the request's parameters: %w", err)
	}
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		tag, field := v.Type().Field(i).Tag, v.Field(i)
		if name := tag.Get("path"); name != "" {
			field.SetString(r.PathValue(name))
		}
		if tag.Get("stream") != "" {
			field.Set(reflect.ValueOf(r.Body))
		}
		name := tag.Get("query")
		given, ok := values[name]
		if name == "" || !ok {
			continue
		}
		delete(values, name)
		if field.Type() == reflect.TypeFor[[]string]() {
			field.Set(reflect.ValueOf(given))
			continue
		}
		if len(given) > 1 {
			return invalid("parameter %s is given %d times", name, len(given))
		}
		if err := parse(field, given[0]); err != nil {
			return invalid("parameter %s: %q is not allowed", name, given[0])
		}
	}
	for name := range values {
		return invalid("parameter %q is not known here", name)
	}
	if err := checkText(in); err != nil {
		return err
	}
	if streamed(v.Type()) {
		return nil
	}
	if !hasBody(v.Type()) {
		in, needsBody = &none{}, false
	}
	if err := readBody(w, r, in, needsBody); err != nil {
		// What is left of the body is not waited for.
		w.Header().Set("Connection", "close")
		return err
	}
	// From here on the client may be silent for as long as it likes.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return nil
}

// parse reverses formatted.
func parse(v reflect.Value, s string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		return u.UnmarshalText([]byte(s))
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return parse(v.Elem(), s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		v.SetBool(b)
		return err
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		v.SetInt(n)
		return err
	case reflect.Uint64:
		n, err := strconv.ParseUint(s, 10, 64)
		v.SetUint(n)
		return err
	}
	v.SetString(s)
	return nil
}

// readBody decodes the body of a request. If it is not needed and empty, v stays as it
// is.
func readBody(w http.ResponseWriter, r *http.Request, v any, needed bool) error {
	// Read first: the decoder is slow on bodies that trickle in.
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return invalid("the request's body: %w", err)
	}
	if len(raw) == 0 && !needed {
		return nil
	}
	if len(raw) == 0 {
		return invalid("the request has no body; this one needs a JSON object")
	}
	if !utf8.Valid(raw) { // the decoder would silently put other characters there
		return invalid("the request's body is not UTF-8, as JSON has to be")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return invalid("the request's body: %w", strict.Explain(raw, reflect.TypeOf(v).Elem(), err))
	}
	if err := strict.Check(raw, reflect.TypeOf(v)); err != nil {
		return invalid("the request's body: %w", err)
	}
	return nil
}

// parameters describes the requests of a type.
func parameters(t reflect.Type) (all []Parameter) {
	for _, f := range reflect.VisibleFields(t) {
		p := Parameter{Name: f.Tag.Get("path"), In: "path", Type: jsonType(f.Type)}
		if p.Name == "" {
			p.Name, p.In = f.Tag.Get("query"), "query"
		}
		if kind := f.Tag.Get("stream"); kind != "" {
			p = Parameter{Name: strings.ToLower(f.Name), In: "stream", Type: kind}
		}
		if p.Name == "" {
			p.Name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
			p.In = "body"
		}
		if !f.Anonymous {
			all = append(all, p)
		}
	}
	return all
}

// jsonType returns the JSON type of a Go type.
func jsonType(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return "string"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "integer"
	case reflect.Slice:
		return "array"
	}
	return "object"
}
