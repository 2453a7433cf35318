package executor

import "encoding/json"

// Type is the type of an attribute.
type Type string

const (
	String Type = "string"
	Bool   Type = "bool"
	// Int is a whole number that fits 64 bits.
	Int Type = "int"
	// Strings is a list of strings.
	Strings Type = "list(string)"
	// StringMap maps strings to strings.
	StringMap Type = "map(string)"
	// Duration is written as in Go ("1m30s") and arrives as such a string.
	Duration Type = "duration"
)

// Schema declares what a config block may contain. Whatever it does not declare is
// refused by the host, with the nearest declared name as a hint.
type Schema struct {
	Attributes []Attribute `json:"attributes,omitempty"`
	// Blocks may each occur at most once.
	Blocks []Block `json:"blocks,omitempty"`
}

// Attribute is one `name = value` of a block.
type Attribute struct {
	Name     string `json:"name"`
	Type     Type   `json:"type"`
	Required bool   `json:"required,omitempty"`
	// Default is shown in documentation; the executor applies it.
	Default json.RawMessage `json:"default,omitempty"`
	// Enum, if set, lists the only strings allowed.
	Enum []string `json:"enum,omitempty"`
	// Description is one line for people.
	Description string `json:"description,omitempty"`
}

// Block is a nested block.
type Block struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Schema
}

// Description is what is known of an executor without opening it.
type Description struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Config  Schema  `json:"config"`
	Runtime *Schema `json:"runtime,omitempty"`
	// Capabilities are those of the executor's Prototype, if it has one.
	Capabilities []Capability `json:"capabilities,omitempty"`
}

// Describe returns the description of e.
func (e *Executor) Describe() Description {
	d := Description{Name: e.Name, Version: e.Version, Config: e.Config, Runtime: e.Runtime}
	if e.Prototype != nil {
		d.Capabilities = Capabilities(e.Prototype)
	}
	return d
}

// Severity of a diagnostic.
type Severity string

const (
	// SeverityError: the backend cannot be used like this.
	SeverityError Severity = "error"
	// SeverityWarning: the backend can be used, but something is worth knowing.
	SeverityWarning Severity = "warning"
)

// Diagnostic is a finding about settings.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	// Path leads to the attribute: {"config", NAME…}, {"runtime", RUNTIME, NAME…} or
	// {"default_runtime"}. The host translates it into a file and line. Empty means
	// the backend as a whole.
	Path []string `json:"path,omitempty"`
	// Message says what is wrong, Hint what to do about it.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}
