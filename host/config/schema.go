package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/nearest"
)

// decode checks b against a schema and returns it as a JSON object. where names the body
// in messages, such as `runtime "crun"`; it is empty for a file.
func decode(s executor.Schema, b *body, where string, diags *diag.Diagnostics) json.RawMessage {
	c := checker{diags: diags}
	raw, err := json.Marshal(c.object(s, b, where))
	if err != nil { // the checker lets only JSON values through
		diags.Fail(b.at, "", "%s cannot be encoded as JSON: %v", where, err)
		return json.RawMessage("{}")
	}
	return raw
}

type checker struct{ diags *diag.Diagnostics }

// object checks the items of b and returns those that are right.
func (c checker) object(s executor.Schema, b *body, where string) map[string]any {
	in := ""
	if where != "" {
		in = " in " + where
	}
	object := map[string]any{}
	first := map[string]diag.Range{}
	for _, it := range b.items {
		attr, isAttr := find(s.Attributes, it.name, func(a executor.Attribute) string { return a.Name })
		nested, isBlock := find(s.Blocks, it.name, func(b executor.Block) string { return b.Name })
		at, seen := first[it.name]
		switch {
		case !isAttr && !isBlock:
			what := "attribute"
			if it.form == block {
				what = "block"
			}
			c.diags.Fail(it.at, suggest(it.name, names(s)), "unknown %s %q%s", what, it.name, in)
			continue
		case isAttr && it.form == block:
			c.diags.Fail(it.at, fmt.Sprintf("write %s = …", it.name), "%q%s is an attribute, not a block", it.name, in)
			continue
		case isBlock && it.form == attribute:
			c.diags.Fail(it.at, fmt.Sprintf("write %s { … }", it.name), "%q%s is a block, not an attribute", it.name, in)
			continue
		case len(it.labels) > 0:
			c.diags.Fail(it.at, fmt.Sprintf("write %s { … }", it.name), "block %q%s takes no name", it.name, in)
			continue
		case seen:
			c.diags.Fail(it.at, "keep one of them", "%q%s is already set at %s", it.name, in, at)
			continue
		}
		first[it.name] = it.at
		if it.value == nil {
			continue // null stands for absent
		}
		if isBlock {
			child, ok := it.value.(*body)
			if !ok {
				c.diags.Fail(it.place, "", "%q%s must be an object, not %s", it.name, in, describe(it.value))
				continue
			}
			object[it.name] = c.object(nested.Schema, child, strings.TrimSpace(where+" "+it.name))
			continue
		}
		if v := c.value(attr, it.node, strconv.Quote(it.name)+in); v != nil {
			object[it.name] = v
		}
	}
	for _, a := range s.Attributes {
		it := b.find(a.Name)
		if a.Required && (it == nil || it.value == nil) {
			c.diags.Fail(b.at, "add "+example(a), "%q%s is missing", a.Name, in)
		}
	}
	return object
}

// value checks one value and returns it, or nil if it is wrong.
func (c checker) value(a executor.Attribute, n node, what string) any {
	switch v := n.value.(type) {
	case unreadable:
		return nil
	case bool:
		if a.Type == executor.Bool {
			return v
		}
	case json.Number:
		if a.Type == executor.Int {
			i, err := strconv.ParseInt(v.String(), 10, 64)
			if err != nil {
				c.diags.Fail(n.place, "", "%s must be a whole number of at most 64 bits, not %s", what, v)
				return nil
			}
			return i
		}
	case string:
		switch a.Type {
		case executor.String:
			return c.allowed(a, v, n, what)
		case executor.Duration:
			if _, err := time.ParseDuration(v); err != nil {
				c.diags.Fail(n.place, `write it like "1m30s" or "250ms"`, "%s is not a duration: %q", what, v)
				return nil
			}
			return v
		}
	case []node:
		if a.Type == executor.Strings {
			return c.list(a, v, what)
		}
	case *body:
		if a.Type == executor.StringMap {
			return c.stringMap(a, v, what)
		}
	}
	want := wanted(a.Type)
	if want == "" {
		c.diags.Fail(n.place, "use a host and an executor of the same release", "%s has type %q in the executor's schema, which this host does not know", what, a.Type)
		return nil
	}
	c.diags.Fail(n.place, correction(a.Type, n.value), "%s must be %s, not %s", what, want, describe(n.value))
	return nil
}

func (c checker) list(a executor.Attribute, elements []node, what string) any {
	list := make([]any, 0, len(elements))
	for i, el := range elements {
		a.Type = executor.String
		v := c.value(a, el, fmt.Sprintf("element %d of %s", i+1, what))
		if v == nil {
			return nil
		}
		list = append(list, v)
	}
	return list
}

func (c checker) stringMap(a executor.Attribute, b *body, what string) any {
	object := map[string]any{}
	for _, it := range b.items {
		a.Type = executor.String
		v := c.value(a, it.node, fmt.Sprintf("%q of %s", it.name, what))
		if v == nil {
			return nil
		}
		if _, ok := object[it.name]; ok {
			c.diags.Fail(it.at, "keep one of them", "key %q of %s is already set at %s", it.name, what, b.find(it.name).at)
			return nil
		}
		object[it.name] = v
	}
	return object
}

// allowed checks a string against the enum of its attribute.
func (c checker) allowed(a executor.Attribute, v string, n node, what string) any {
	if len(a.Enum) == 0 || slices.Contains(a.Enum, v) {
		return v
	}
	hint := ""
	if name := nearest.Name(v, a.Enum); name != "" {
		hint = fmt.Sprintf("did you mean %q?", name)
	}
	c.diags.Fail(n.place, hint, "%s must be one of %s, not %q", what, quoted(a.Enum), v)
	return nil
}

// wanted describes a type in messages. It returns "" for an unknown type.
func wanted(t executor.Type) string {
	switch t {
	case executor.String:
		return "a string"
	case executor.Bool:
		return "true or false"
	case executor.Int:
		return "a whole number"
	case executor.Strings:
		return "a list of strings"
	case executor.StringMap:
		return "an object of strings"
	case executor.Duration:
		return `a duration in quotes, such as "1m30s"`
	}
	return ""
}

// correction returns a hint for usual mistakes with types.
func correction(want executor.Type, v any) string {
	s, isString := v.(string)
	_, isNumber := v.(json.Number)
	_, isBool := v.(bool)
	switch {
	case isString && want == executor.Bool && (s == "true" || s == "false"),
		isString && want == executor.Int && json.Unmarshal([]byte(s), new(int64)) == nil:
		return "remove the quotes: " + s
	case isString && want == executor.Strings:
		return fmt.Sprintf("put it in brackets: [%q]", s)
	case (isNumber || isBool) && want == executor.String:
		return fmt.Sprintf("put it in quotes: \"%v\"", v)
	}
	return ""
}

// example shows how an attribute is written.
func example(a executor.Attribute) string {
	value := map[executor.Type]string{
		executor.String: `"…"`, executor.Bool: "true", executor.Int: "1",
		executor.Strings: `["…"]`, executor.StringMap: "{ … }", executor.Duration: `"1m30s"`,
	}[a.Type]
	if len(a.Enum) > 0 {
		value = strconv.Quote(a.Enum[0])
		if a.Type == executor.Strings {
			value = "[" + value + "]"
		}
	}
	return a.Name + " = " + value
}

// names returns all names that a schema declares.
func names(s executor.Schema) []string {
	var all []string
	for _, a := range s.Attributes {
		all = append(all, a.Name)
	}
	for _, b := range s.Blocks {
		all = append(all, b.Name)
	}
	return all
}

func find[T any](list []T, name string, of func(T) string) (T, bool) {
	if i := slices.IndexFunc(list, func(t T) bool { return of(t) == name }); i >= 0 {
		return list[i], true
	}
	var zero T
	return zero, false
}

func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = strconv.Quote(s)
	}
	return strings.Join(q, ", ")
}
