package api

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// Access decides which requests the callers of a host may make. Package access has an
// implementation by rules. It is called concurrently.
type Access interface {
	// Allow returns nil if a caller may do what is asked for, or the error with which the
	// request is refused: see [Denied]. It may change the request, so that the host does what
	// was looked at, and nothing else. caller is nil if it is not known. ctx is that of the
	// request.
	Allow(ctx context.Context, caller *Caller, asked *Asked) error
}

// Asked is a request before it is carried out.
type Asked struct {
	// Route is the name of the route: that of the method of [Client].
	Route string
	// OwnOnly, which Allow may set, leaves out of a list those containers that the caller has
	// not made.
	OwnOnly bool

	request reflect.Value // a struct; nothing of it is copied
	host    any
	caller  *Caller
}

// NewAsked returns the request of a route, a pointer to a struct, to a host. It is for tests of
// an [Access].
func NewAsked(route string, request, host any) *Asked {
	return &Asked{Route: route, request: reflect.ValueOf(request).Elem(), host: host}
}

// admit asks whether a request may be made.
func (s *handler) admit(ctx context.Context, route string, request any) (*Asked, error) {
	if s.access == nil {
		return nil, nil
	}
	asked := NewAsked(route, request, s.host)
	if caller, known := CallerOf(ctx); known {
		asked.caller = &caller
	}
	err := s.access.Allow(ctx, asked.caller, asked)
	if err != nil {
		who := "unknown"
		if asked.caller != nil {
			who = strconv.Itoa(asked.caller.UID)
		}
		s.warn("a request was refused", "route", route, "uid", who, "reason", err.Error())
	}
	return asked, err
}

// warn logs more than what faults are, if the logger can.
func (s *handler) warn(message string, pairs ...any) {
	if w, ok := s.logger.(interface{ Warn(string, ...any) }); ok {
		w.Warn(message, pairs...)
	}
}

// hide takes out of a reply what the caller must not see.
func (a *Asked) hide(reply any) {
	if list, ok := reply.(*[]Container); ok && a != nil && a.OwnOnly {
		*list = slices.DeleteFunc(*list, func(c Container) bool { return a.caller == nil || !c.OwnedBy(a.caller.UID) })
	}
}

// Set returns the names of the parameters that the request has: those that are not zero. The
// members of a member follow it after a dot, as in process.args, also those of the elements of
// a list.
func (a *Asked) Set() []string {
	names := setIn(a.request, "")
	slices.Sort(names)
	return slices.Compact(names)
}

// ParametersOf returns the names that Set could return for the requests of a route.
func ParametersOf(route string) (names []string) {
	for _, e := range table {
		if e.info().Name == route {
			names = append(names, e.allParameters()...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (r *route[H, Request, Reply]) allParameters() []string {
	return namesOf(reflect.TypeFor[Request](), "")
}

func setIn(v reflect.Value, prefix string) (names []string) {
	for f := range v.Type().Fields() {
		field := v.FieldByIndex(f.Index)
		name, inner := accessName(f)
		if name == "" && !inner || field.IsZero() {
			continue
		}
		for field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		switch {
		case inner:
			names = append(names, setIn(field, prefix)...)
		case isNested(field.Type()):
			names = append(names, setIn(field, prefix+name+".")...)
		case isList(field.Type()):
			for i := range field.Len() {
				element := setIn(field.Index(i), prefix+name+".")
				if len(element) == 0 { // an element of zeros is one, too
					element = []string{prefix + name}
				}
				names = append(names, element...)
			}
		default:
			names = append(names, prefix+name)
		}
	}
	return names
}

func namesOf(t reflect.Type, prefix string) (names []string) {
	for f := range t.Fields() {
		name, inner := accessName(f)
		typ := f.Type
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		switch {
		case inner:
			names = append(names, namesOf(typ, prefix)...)
		case name == "":
		case isNested(typ):
			names = append(names, namesOf(typ, prefix+name+".")...)
		case isList(typ):
			names = append(names, namesOf(typ.Elem(), prefix+name+".")...)
		default:
			names = append(names, prefix+name)
		}
	}
	return names
}

// accessName returns the name of the parameter that a field is, or that its fields are
// parameters like those beside it. No request can have a field that is neither.
func accessName(f reflect.StructField) (name string, inner bool) {
	for _, tag := range []string{"path", "query"} {
		if name := f.Tag.Get(tag); name != "" {
			return name, false
		}
	}
	if f.Tag.Get("stream") != "" {
		return strings.ToLower(f.Name), false
	}
	name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case name == "-":
		return "", false
	case name == "" && f.Anonymous && f.Type.Kind() == reflect.Struct:
		return "", true
	case name == "":
		return f.Name, false
	}
	return name, false
}

// isNested reports whether the members of a type are parameters of their own.
func isNested(t reflect.Type) bool { return t.Kind() == reflect.Struct && jsonType(t) == "object" }

func isList(t reflect.Type) bool { return t.Kind() == reflect.Slice && isNested(t.Elem()) }

// Text returns a pointer to a parameter that is text, or nil if the request has none with that
// name.
func (a *Asked) Text(name string) *string { return textIn(a.request, name) }

func textIn(v reflect.Value, name string) *string {
	for f := range v.Type().Fields() {
		switch got, inner := accessName(f); {
		case inner:
			if text := textIn(v.FieldByIndex(f.Index), name); text != nil {
				return text
			}
		case got == name && f.Type.Kind() == reflect.String:
			return v.FieldByIndex(f.Index).Addr().Convert(reflect.TypeFor[*string]()).Interface().(*string)
		}
	}
	return nil
}

// Part returns a pointer to the part of a request that has a type, such as ContainerOptions, or
// nil if it has none.
func Part[T any](a *Asked) *T {
	part, _ := partIn(a.request, reflect.TypeFor[T]()).(*T)
	return part
}

func partIn(v reflect.Value, t reflect.Type) any {
	if v.Type() == t {
		return v.Addr().Interface()
	}
	for f := range v.Type().Fields() {
		if _, inner := accessName(f); inner {
			if part := partIn(v.FieldByIndex(f.Index), t); part != nil {
				return part
			}
		}
	}
	return nil
}

// Inspect returns a container of the host.
func (a *Asked) Inspect(reference string) (Container, error) {
	if h, ok := a.host.(inspector); ok {
		return h.Inspect(reference)
	}
	return Container{}, executor.Errorf(executor.Unsupported, "this host does not describe containers")
}

// DefaultRuntime returns the name of the runtime of containers that name none, "" if the
// backend has no runtimes.
func (a *Asked) DefaultRuntime(ctx context.Context, backend string) (string, error) {
	h, ok := a.host.(runtimeLister)
	if !ok {
		return "", executor.Errorf(executor.Unsupported, "this host does not list runtimes")
	}
	all, err := h.Runtimes(ctx, backend)
	if err != nil {
		return "", err
	}
	for _, r := range all {
		if r.Default {
			return r.Name, nil
		}
	}
	return "", nil
}
