package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// scratchVariable stands in a template for the scratch directory of a workload.
const scratchVariable = "$SCRATCH"

// Template returns a Target.Spec for executors whose specs are of another kind. The
// template is an OCI spec whose process.args begin the command line of a program
// made of package workload; the suite appends the steps. In its strings,
// "$SCRATCH" stands for the workload's scratch directory on this machine. If that
// is the source of a mount, the workload sees the directory at its destination,
// and else at the same path.
func Template(template []byte) (func(p Program, scratch string) (json.RawMessage, error), error) {
	decode := func(to any) error {
		d := json.NewDecoder(bytes.NewReader(template))
		d.UseNumber()
		return d.Decode(to)
	}
	var whole map[string]any
	var known struct {
		Process struct{ Args []string }
		Mounts  []struct{ Source, Destination string }
	}
	if err := errors.Join(decode(&whole), decode(&known)); err != nil {
		return nil, fmt.Errorf("the template is not an OCI spec: %w", err)
	}
	if len(known.Process.Args) == 0 {
		return nil, errors.New("the template has no process.args: give the program that does the steps")
	}
	return func(p Program, scratch string) (json.RawMessage, error) {
		dir := scratch
		for _, m := range known.Mounts {
			if m.Source == scratchVariable {
				dir = m.Destination
			}
		}
		program := make([]string, len(known.Process.Args))
		for i, word := range known.Process.Args {
			program[i] = strings.ReplaceAll(word, scratchVariable, scratch)
		}
		spec := replaceStrings(whole, scratchVariable, scratch).(map[string]any)
		spec["process"].(map[string]any)["args"] = p.command(program, dir)
		return json.Marshal(spec)
	}, nil
}

// replaceStrings returns v, a value of JSON, with from replaced in all its strings.
func replaceStrings(v any, from, to string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, from, to)
	case []any:
		replaced := make([]any, len(v))
		for i, element := range v {
			replaced[i] = replaceStrings(element, from, to)
		}
		return replaced
	case map[string]any:
		replaced := make(map[string]any, len(v))
		for key, value := range v {
			replaced[key] = replaceStrings(value, from, to)
		}
		return replaced
	}
	return v
}
