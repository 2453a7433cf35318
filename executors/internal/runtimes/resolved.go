package runtimes

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trust"
)

// Resolved is all that is needed to run a container under a runtime.
type Resolved struct {
	// Shim is a shim's name or the absolute path of a shim binary.
	Shim string `json:"shim"`
	// Path is the OCI binary, empty for the shim's default. It is a bare name
	// until [Resolved.Locate] has looked it up.
	Path    string   `json:"path,omitempty"`
	Args    []string `json:"args,omitempty"`
	Options Options  `json:"options"`
}

// Kind returns the kind of the shim.
func (r Resolved) Kind() Kind { return KindOf(r.Shim) }

// Encode returns r as the host stores it.
func (r Resolved) Encode() (json.RawMessage, error) { return json.Marshal(r) }

// Decode decodes what Encode returned. The error is [executor.Invalid].
func Decode(b json.RawMessage) (Resolved, error) {
	var r Resolved
	if err := json.Unmarshal(b, &r); err != nil {
		return Resolved{}, executor.Errorf(executor.Invalid, "resolved runtime: %w", err)
	}
	if r.Shim == "" {
		return Resolved{}, executor.Errorf(executor.Invalid, "resolved runtime names no shim; resolve it with the backend that is to run it")
	}
	return r, nil
}

// Locate replaces a bare name in Path by the file of that name in the
// directories of searchPath, a value of the environment variable PATH.
// The error is [executor.FailedPrecondition].
func (r Resolved) Locate(searchPath string) (Resolved, error) {
	if r.Path == "" {
		return r, nil
	}
	p, err := LookPath(r.Path, searchPath)
	if err != nil {
		return r, err
	}
	r.Path = p
	return r, nil
}

// LookPath finds an executable file: name itself if it is absolute, otherwise in
// the directories of searchPath. The error is [executor.FailedPrecondition] and
// says whether the file is absent or not executable, or who else can change it: it
// is run as the executor's user.
func LookPath(name, searchPath string) (string, error) {
	if filepath.IsAbs(name) {
		_, err := exec.LookPath(name)
		switch {
		case err == nil:
			_, err := trust.File(name)
			return name, err
		case errors.Is(err, os.ErrNotExist):
			return "", executor.Errorf(executor.FailedPrecondition, "%s does not exist", name)
		default:
			return "", executor.Errorf(executor.FailedPrecondition, "%s is not an executable file", name)
		}
	}
	for _, dir := range filepath.SplitList(searchPath) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if p := filepath.Join(dir, name); isExecutable(p) {
			_, err := trust.Resolve(p)
			return p, err
		}
	}
	return "", executor.Errorf(executor.FailedPrecondition, "%s is not on the PATH %s", name, strings.TrimSpace(searchPath))
}

func isExecutable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}
