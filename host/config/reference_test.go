package config

import (
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// TestReference looks for what is not described.
func TestReference(t *testing.T) {
	var look func(where string, s executor.Schema)
	look = func(where string, s executor.Schema) {
		for _, a := range s.Attributes {
			if a.Description == "" {
				t.Errorf("%s%s is not described", where, a.Name)
			}
		}
		for _, b := range s.Blocks {
			if b.Description == "" {
				t.Errorf("block %s%s is not described", where, b.Name)
			}
			look(where+b.Name+".", b.Schema)
		}
	}
	r := Reference()
	look("", r)
	if level := r.Blocks[1].Attributes[0]; string(level.Default) != `"info"` {
		t.Errorf("the log's level is described as %+v", level)
	}
}
