// Package settings reads the blocks of a backend's config. It reads strictly, so that
// a wrong name is reported, and its findings name the attribute.
package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// Findings collects what is wrong with a config block.
type Findings []executor.Diagnostic

// Add adds a finding about an attribute.
func (f *Findings) Add(attribute, hint, format string, args ...any) {
	*f = append(*f, executor.Diagnostic{
		Severity: executor.SeverityError, Path: []string{"config", attribute}, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// Decode reads the block at a path, such as "config", into the struct that into
// points to. It refuses what the struct does not have. An empty body changes nothing.
func Decode(body json.RawMessage, into any, path ...string) Findings {
	if len(body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something after the block")
		}
	}
	if err != nil {
		return Findings{{Severity: executor.SeverityError, Path: path, Message: err.Error()}}
	}
	return nil
}

// Refuse returns the error by which a backend refuses wrong settings: the first
// finding. It is nil if there is none.
func Refuse(found []executor.Diagnostic) error {
	if len(found) == 0 {
		return nil
	}
	return executor.Errorf(executor.Invalid, "%s: %s", strings.Join(found[0].Path, "."), found[0].Message)
}
