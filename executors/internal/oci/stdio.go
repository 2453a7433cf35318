package oci

import (
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
)

// Stdio are the streams of a task as containerd's shims take them: a path that is
// opened as a FIFO if it is one, and else for appending.
type Stdio struct {
	Stdin, Stdout, Stderr string
	// Merged says that stdout and stderr are to go to one file.
	Merged bool
}

// NewStdio returns the streams in the form that a shim takes. The error says which of
// them it cannot have.
func NewStdio(s executor.Stdio, terminal bool) (Stdio, error) {
	var p Stdio
	for _, v := range []struct {
		name string
		executor.Stream
		to *string
	}{{"stdin", s.Stdin, &p.Stdin}, {"stdout", s.Stdout, &p.Stdout}, {"stderr", s.Stderr, &p.Stderr}} {
		switch {
		case v.Kind == executor.StreamNull:
		case v.Kind != executor.StreamFile && v.Kind != executor.StreamFIFO:
			return p, executor.Errorf(executor.Invalid, "%s: stream kind %q is not known", v.name, v.Kind)
		case v.Kind == executor.StreamFile && v.name == "stdin":
			return p, executor.Errorf(executor.Unsupported, "stdin from a file is not supported; use a fifo")
		case !filepath.IsAbs(v.Path):
			return p, executor.Errorf(executor.Invalid, "%s: path %q is not absolute", v.name, v.Path)
		default:
			*v.to = v.Path
		}
	}
	switch {
	case terminal:
		p.Stderr = "" // a terminal has one stream of output
	case p.Stdout != "" && p.Stdout == p.Stderr:
		p.Merged = true
	case p.Stdin+p.Stdout+p.Stderr != "":
		// Shims accept either no stream at all, or all but stdin.
		p.Stdout, p.Stderr = orNull(p.Stdout), orNull(p.Stderr)
	}
	return p, nil
}

func orNull(path string) string {
	if path == "" {
		return "/dev/null"
	}
	return path
}

// Split returns the streams with a path for each, also if they are merged. joined
// says that nothing will be written to the second.
func (p Stdio) Split(joined bool) Stdio {
	switch {
	case !p.Merged:
	case joined:
		p.Stderr = "/dev/null"
	default:
		// If both paths are equal, shims (seen up to containerd 2.4) open the file
		// once and close it when the first stream ends: in one run of twenty the end
		// of the other is lost. Two spellings are opened separately, for appending.
		p.Stderr = filepath.Dir(p.Stdout) + "/./" + filepath.Base(p.Stdout)
	}
	return p
}
