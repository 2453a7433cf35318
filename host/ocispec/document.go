package ocispec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// An object is a JSON object that can be changed in places. Values that are not
// touched keep their bytes, and members their order.
type object struct {
	path   string // in messages, such as "process.user"
	names  []string
	values map[string]json.RawMessage
}

// A patch has the members of an object that are to change.
type patch map[string]any

// parseObject parses a JSON object. It refuses members that a decoder which ignores case
// takes for the same.
func parseObject(raw []byte, path string) (*object, error) {
	o := &object{path: path, values: map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("%s is not a JSON object", o)
	}
	folded := map[string]string{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		name := token.(string) // the decoder takes nothing else for a name
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", o.member(name), err)
		}
		if other, ok := folded[fold(name)]; ok {
			return nil, fmt.Errorf("%s has both %q and %q; keep one of them", o, other, name)
		}
		folded[fold(name)] = name
		o.names = append(o.names, name)
		o.values[name] = value
	}
	return o, nil
}

// fold maps all names that encoding/json takes for the same to one of them.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// String returns the name of o for messages.
func (o *object) String() string {
	if o.path == "" {
		return "the document"
	}
	return fmt.Sprintf("%q", o.path)
}

func (o *object) member(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// get decodes a member and reports whether there is one. Null counts as none.
func (o *object) get(name string, value any) (bool, error) {
	if err := o.checkCase(name); err != nil {
		return false, err
	}
	raw, ok := o.values[name]
	if !ok || string(raw) == "null" {
		return false, nil
	}
	if err := json.Unmarshal(raw, value); err != nil {
		return false, fmt.Errorf("%q: %w", o.member(name), err)
	}
	return true, nil
}

// checkCase refuses a member whose name differs from a known one only in case.
func (o *object) checkCase(name string) error {
	for _, other := range o.names {
		if other != name && fold(other) == fold(name) {
			return fmt.Errorf("%q must be written %q", o.member(other), name)
		}
	}
	return nil
}

// object returns a member that is an object, or an empty object if there is none. To
// change the member, set it again.
func (o *object) object(name string) (*object, error) {
	var raw json.RawMessage
	if ok, err := o.get(name, &raw); err != nil {
		return nil, err
	} else if !ok {
		raw = json.RawMessage("{}")
	}
	return parseObject(raw, o.member(name))
}

// set sets a member.
func (o *object) set(name string, value any) error {
	if err := o.checkCase(name); err != nil {
		return err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%q: %w", o.member(name), err)
	}
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = raw
	return nil
}

// merge sets members: objects member by member, everything else as a whole.
func (o *object) merge(changes patch) error {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		value := changes[name]
		if inner, ok := value.(patch); ok {
			if inner.empty() {
				continue
			}
			member, err := o.object(name)
			if err != nil {
				return err
			}
			if err := member.merge(inner); err != nil {
				return err
			}
			value = member
		}
		if err := o.set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// changeMounts calls change for each mount of a spec. One that change reports as changed
// takes the place of the old, with none if keep is false; others keep their bytes.
func (o *object) changeMounts(change func(m *specs.Mount) (changed, keep bool)) error {
	var mounts []json.RawMessage
	if _, err := o.get("mounts", &mounts); err != nil {
		return err
	}
	kept := []json.RawMessage{}
	for _, raw := range mounts {
		var m specs.Mount
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		changed, keep := change(&m)
		if !keep {
			continue
		}
		if changed {
			var err error
			if raw, err = json.Marshal(m); err != nil {
				return err
			}
		}
		kept = append(kept, raw)
	}
	return o.set("mounts", kept)
}

// empty reports whether p changes nothing.
func (p patch) empty() bool {
	for _, value := range p {
		if inner, ok := value.(patch); !ok || !inner.empty() {
			return false
		}
	}
	return true
}

// edit changes the object at a path of members. Those that do not exist are made.
func (o *object) edit(change func(*object) error, path ...string) error {
	if len(path) == 0 {
		return change(o)
	}
	member, err := o.object(path[0])
	if err != nil {
		return err
	}
	if err := member.edit(change, path[1:]...); err != nil {
		return err
	}
	return o.set(path[0], member)
}

// MarshalJSON returns the members in their order.
func (o *object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, name := range o.names {
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		b.WriteByte("{,"[min(i, 1)])
		b.Write(quoted)
		b.WriteByte(':')
		b.Write(o.values[name])
	}
	if len(o.names) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
