package containerd

import (
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
)

// stdio are the streams of a task as containerd's shims take them: a path that is
// opened as a FIFO if it is one, and else for appending.
type stdio struct {
	stdin, stdout, stderr string
	// merged says that stdout and stderr are to go to one file.
	merged bool
}

func newStdio(s executor.Stdio, terminal bool) (stdio, error) {
	var p stdio
	for _, v := range []struct {
		name string
		executor.Stream
		to *string
	}{{"stdin", s.Stdin, &p.stdin}, {"stdout", s.Stdout, &p.stdout}, {"stderr", s.Stderr, &p.stderr}} {
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
		p.stderr = "" // a terminal has one stream of output
	case p.stdout != "" && p.stdout == p.stderr:
		p.merged = true
	case p.stdin+p.stdout+p.stderr != "":
		// Shims take no stream at all, or all but stdin.
		p.stdout, p.stderr = orNull(p.stdout), orNull(p.stderr)
	}
	return p, nil
}

func orNull(path string) string {
	if path == "" {
		return "/dev/null"
	}
	return path
}

// split gives merged streams two paths, of which joined says that nothing will
// come on the second.
func (p stdio) split(joined bool) stdio {
	switch {
	case !p.merged:
	case joined:
		p.stderr = "/dev/null"
	default:
		// Given one path twice, shims (seen up to containerd 2.4) open the file
		// once and close it when the first stream ends: one run in twenty loses
		// the end of the other. Two spellings are opened apart, for appending.
		p.stderr = filepath.Dir(p.stdout) + "/./" + filepath.Base(p.stdout)
	}
	return p
}
