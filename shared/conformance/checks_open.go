package conformance

import (
	"encoding/json"
	"slices"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(10, transport.MethodValidate.Name,
	Check{Name: "open", Method: transport.MethodOpen.Name, run: checkOpen, first: true,
		Duty: "The executor starts, takes its settings and opens.",
		Hint: "Start the program by hand with --version, and look at its log; Open must return soon, also with an empty config."},
	Check{Name: "describe", Method: transport.MethodHello.Name, run: checkDescribe,
		Duty: "Its name, its schemas and its capabilities are well formed.",
		Hint: "Look at the Executor's Config, Runtime and Prototype."},
	Check{Name: "validate", run: checkValidate,
		Duty: "Validate accepts the settings in use, and refuses senseless ones with an error that names the attribute.",
		Hint: "Give Validate's diagnostics a path such as {\"config\", \"address\"}; it must not need the backend."},
)

// checkOpen runs first. If it fails no other check runs.
func checkOpen(t *trial) {
	t.blocks = "the executor could not be opened"
	t.open()
}

func checkDescribe(t *trial) {
	s := t.open()
	var d executor.Description
	switch link := s.link.(type) {
	case *direct:
		d = link.executor.Describe()
	case *wire:
		d = t.hello(s, link).Description
	}
	if d.Name == "" {
		t.errorf("the executor has no name")
	}
	t.checkSchema("config", d.Config)
	if d.Runtime != nil {
		t.checkSchema("runtime", *d.Runtime)
	} else if s.has(executor.CapRuntimeResolve) {
		t.errorf("the executor resolves runtimes but declares no schema for them; an empty one says that they have no attributes")
	}
	for _, c := range s.capabilities {
		if d.Capabilities != nil && !slices.Contains(d.Capabilities, c) {
			t.errorf("the opened backend has the capability %q, the Prototype has not", c)
		}
	}
	known := executor.KnownCapabilities()
	for _, c := range s.capabilities {
		if !slices.Contains(known, c) {
			t.errorf("capability %q is not known to this version of the contract", c)
		}
	}
}

func (t *trial) checkSchema(path string, schema executor.Schema) {
	names := map[string]bool{}
	name := func(n string) {
		if n == "" {
			t.errorf("%s: an attribute or a block has no name", path)
		} else if names[n] {
			t.errorf("%s: %q is declared twice", path, n)
		}
		names[n] = true
	}
	for _, a := range schema.Attributes {
		name(a.Name)
		to := valueOf(a.Type)
		if to == nil {
			t.errorf("%s.%s: the type %q is unknown", path, a.Name, a.Type)
		} else if a.Default != nil && json.Unmarshal(a.Default, to) != nil {
			t.errorf("%s.%s: the default %s is not a %s", path, a.Name, a.Default, a.Type)
		}
		if a.Required && a.Default != nil {
			t.errorf("%s.%s: it is required and has a default", path, a.Name)
		}
		if a.Enum != nil && a.Type != executor.String {
			t.errorf("%s.%s: an enum is for strings, the type is %s", path, a.Name, a.Type)
		}
	}
	for _, b := range schema.Blocks {
		name(b.Name)
		t.checkSchema(path+"."+b.Name, b.Schema)
	}
}

// valueOf returns a pointer to which the JSON of a value of type typ can be decoded,
// nil if there is no such type.
func valueOf(typ executor.Type) any {
	switch typ {
	case executor.String, executor.Duration:
		return new(string)
	case executor.Bool:
		return new(bool)
	case executor.Int:
		return new(int64)
	case executor.Strings:
		return new([]string)
	case executor.StringMap:
		return new(map[string]string)
	}
	return nil
}

func checkValidate(t *trial) {
	s := t.open()
	for _, d := range t.validate(s, t.target.Settings) {
		if d.Severity == executor.SeverityError {
			t.errorf("Validate refuses the settings in use: %s", d.Message)
		}
	}
	for i, settings := range t.target.Refused {
		diags := t.validate(s, settings)
		refused := slices.ContainsFunc(diags, func(d executor.Diagnostic) bool {
			return d.Severity == executor.SeverityError && len(d.Path) > 0
		})
		if !refused {
			text, _ := json.Marshal(settings)
			t.errorf("Validate does not refuse the settings number %d, %s, with an error that has a path", i+1, text)
		}
	}
}

// validate returns the executor's own findings about settings.
func (t *trial) validate(s *subject, settings executor.Settings) []executor.Diagnostic {
	var diags []executor.Diagnostic
	switch link := s.link.(type) {
	case *direct:
		if link.executor.Validate == nil {
			return nil
		}
		diags = link.executor.Validate(settings)
	case *wire:
		ctx, cancel := s.bounded()
		defer cancel()
		var err error
		diags, err = transport.MethodValidate.Call(ctx, link.client, settings)
		t.must(err, "Validate")
	}
	t.checkDiagnostics("Validate", diags)
	return diags
}

func (t *trial) checkDiagnostics(from string, diags []executor.Diagnostic) {
	for _, d := range diags {
		if d.Message == "" {
			t.errorf("%s returned a diagnostic without a message, about %q", from, d.Path)
		}
		if d.Severity != executor.SeverityError && d.Severity != executor.SeverityWarning {
			t.errorf("%s returned a diagnostic of unknown severity %q: %s", from, d.Severity, d.Message)
		}
	}
}

// hello repeats the greeting of the connected host.
func (t *trial) hello(s *subject, w *wire) transport.HelloReply {
	ctx, cancel := s.bounded()
	defer cancel()
	reply, err := w.client.Hello(ctx, transport.Hello{Version: hostVersion, Epoch: w.epoch})
	t.must(err, "Hello")
	return reply
}
