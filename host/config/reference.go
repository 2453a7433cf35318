package config

import (
	"encoding/json"
	"fmt"

	"github.com/davit-run/davit/shared/executor"
)

// Reference describes all that a config may have, but for the settings of executors, which
// they describe themselves. Defaults are those of [Config.WithDefaults].
func Reference() executor.Schema {
	s := fileSchema()
	withDefaults(&s, Config{}.WithDefaults())
	backend := backendSchema()
	for i := range backend.Attributes {
		backend.Attributes[i].Required = backend.Attributes[i].Name == "executor" // as Validate has it
	}
	for i := range s.Blocks {
		if s.Blocks[i].Name == "rule" {
			s.Blocks[i].Description = "what some users may do, with the name rule \"NAME\", if api has rules = true; one rule must allow all of a request"
			s.Blocks[i].Schema = ruleSchema()
		}
		if s.Blocks[i].Name == "backend" {
			s.Blocks[i].Description = "an executor that is loaded, with the name backend \"NAME\"; at least one is needed"
			s.Blocks[i].Schema = backend
		}
	}
	return s
}

// withDefaults puts the values of a config into a schema.
func withDefaults(s *executor.Schema, values any) {
	raw, err := json.Marshal(values)
	var members map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(raw, &members)
	}
	if err != nil {
		panic(fmt.Sprintf("defaults of the config: %v", err)) // plain structs
	}
	for i := range s.Attributes {
		switch value := members[s.Attributes[i].Name]; string(value) {
		case `""`, "null", "{}", "":
			if s.Attributes[i].Type == executor.Bool {
				s.Attributes[i].Default = json.RawMessage("false")
			}
		default:
			s.Attributes[i].Default = value
		}
	}
	for i := range s.Blocks {
		if value, ok := members[s.Blocks[i].Name]; ok {
			withDefaults(&s.Blocks[i].Schema, value)
		}
	}
}
