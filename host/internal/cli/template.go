package cli

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"text/template"
	"unicode"
	"unicode/utf8"
)

// tablePrefix begins a template whose lines are rows of a table.
const tablePrefix = "table "

// templated reports whether a format is a template.
func (f Format) templated() bool { return f != AsTable && f != AsJSON }

// parse returns the template of a format, and whether it makes a table.
func (f Format) parse() (t *template.Template, table bool, err error) {
	text, table := strings.CutPrefix(string(f), tablePrefix)
	text = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(text) // a shell leaves them as they are
	t, err = template.New("format").Funcs(templateFuncs).Option("missingkey=error").Parse(text)
	return t, table, err
}

// templateFuncs are the functions that docker's templates have.
var templateFuncs = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := encodeLine(v)
		return strings.TrimSuffix(string(b), "\n"), err
	},
	"join": func(list any, separator string) (string, error) {
		v := reflect.ValueOf(list)
		if v.Kind() != reflect.Slice {
			return "", fmt.Errorf("join takes a list, not %v", list)
		}
		words := make([]string, v.Len())
		for i := range words {
			words[i] = fmt.Sprint(v.Index(i))
		}
		return strings.Join(words, separator), nil
	},
	"split": strings.Split,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"truncate": func(s string, most int) string {
		if utf8.RuneCountInString(s) <= most {
			return s
		}
		return string([]rune(s)[:max(0, most)])
	},
}

func encodeLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// fields are what a template can use: the members of the JSON by their names, and more.
type fields map[string]any

// fieldsOf returns the members of the JSON of a value.
func fieldsOf(v any) (fields, error) {
	b, err := encodeLine(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var f fields
	if err := dec.Decode(&f); err != nil {
		return nil, err
	}
	for name, value := range f {
		f[name] = plainNumbers(value)
	}
	f.complete(reflect.TypeOf(v))
	return f, nil
}

// complete adds what the JSON of a value of a type leaves out since it is empty.
func (f fields) complete(t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			f.complete(field.Type)
			continue
		case !field.IsExported() || name == "" || name == "-":
			continue
		}
		if _, ok := f[name]; !ok {
			f[name] = emptyValue(field.Type)
		}
		if inner, ok := f[name].(map[string]any); ok && !marshals(field.Type) {
			fields(inner).complete(field.Type)
		}
	}
}

// emptyValue returns what a template sees of an empty member.
func emptyValue(t reflect.Type) any {
	inner := t
	if t.Kind() == reflect.Pointer {
		inner = t.Elem()
	}
	switch {
	case marshals(t):
		return ""
	case inner.Kind() == reflect.Struct:
		return map[string]any{}
	case t.ConvertibleTo(reflect.TypeFor[int64]()):
		return int64(0)
	case t.Kind() == reflect.Bool:
		return false
	case t.Kind() == reflect.Map:
		return map[string]any{}
	case t.Kind() == reflect.Slice:
		return []any{}
	}
	return "" // also where absent is not the same as zero
}

// marshals reports whether values of a type say themselves what their JSON is.
func marshals(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// plainNumbers returns a value of a JSON decoder with numbers that templates can compare.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if n, err := v.Float64(); err == nil {
			return n
		}
		return v.String()
	case map[string]any:
		for name, value := range v {
			v[name] = plainNumbers(value)
		}
	case []any:
		for i, value := range v {
			v[i] = plainNumbers(value)
		}
	}
	return v
}

// columnName returns the name of a table's column for templates: LAST ERROR is LastError.
func columnName(header string) string {
	if utf8.RuneCountInString(header) <= 3 && !strings.Contains(header, " ") {
		return header // ID, PID, CPU
	}
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(header, func(r rune) bool { return !unicode.IsLetter(r) }) {
		b.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return b.String()
}

// listing is a list that can be printed as a table or by a template.
type listing struct {
	header []string
	rows   [][]string
	// items is a slice with a value for each row.
	items any
	// more returns further fields of an item, nil if there are none.
	more func(i int) fields
	// shorter are the columns that are shortened where a terminal is too narrow, and
	// dispensable those that are left out; see fit.
	shorter, dispensable []string
}

// print prints a listing as a table or by a template.
func (l listing) print(w io.Writer, form Format) error {
	if !form.templated() {
		return PrintFitted(w, l.header, l.rows, l.shorter, l.dispensable)
	}
	t, table, err := form.parse()
	if err != nil {
		return err
	}
	out := w
	if table {
		tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		defer func() { _ = tw.Flush() }()
		out = tw
	}
	items := reflect.ValueOf(l.items)
	if table && items.Len() == 0 {
		names := fields{}
		for _, header := range l.header {
			names[columnName(header)] = nil
		}
		printHeader(out, t, names)
	}
	for i := range items.Len() {
		f, err := fieldsOf(items.Index(i).Interface())
		if err != nil {
			return err
		}
		for column, header := range l.header {
			f[columnName(header)] = l.rows[i][column]
		}
		if l.more != nil {
			maps.Copy(f, l.more(i))
		}
		if table && i == 0 {
			printHeader(out, t, f)
		}
		if err := f.print(out, t); err != nil {
			return err
		}
	}
	return nil
}

// printHeader prints the names of the fields that a template uses, as it would print them.
func printHeader(w io.Writer, t *template.Template, like fields) {
	names := fields{}
	for name := range like {
		names[name] = strings.ToUpper(name)
	}
	_ = names.print(w, t) // one that looks into a field has no header
}

// print prints a line with a template.
func (f fields) print(w io.Writer, t *template.Template) error {
	var b bytes.Buffer
	if err := t.Execute(&b, map[string]any(f)); err != nil {
		known := slices.DeleteFunc(slices.Sorted(maps.Keys(f)), func(name string) bool { return name == "" })
		return fmt.Errorf("--format: %w; there are %s", err, strings.Join(known, ", "))
	}
	_, err := fmt.Fprintf(w, "%s\n", b.Bytes())
	return err
}
