package executor

import "path/filepath"

// StreamKind says what a stream is connected to.
type StreamKind string

const (
	// StreamNull discards output, and reads as an empty file. It is the zero value.
	StreamNull StreamKind = ""
	// StreamFile is a regular file that exists. It is opened for appending.
	StreamFile StreamKind = "file"
	// StreamFIFO is a named pipe that exists.
	StreamFIFO StreamKind = "fifo"
)

// Stream is one standard stream of a process.
type Stream struct {
	Kind StreamKind `json:"kind,omitempty"`
	Path string     `json:"path,omitempty"`
	// Max is how much is kept of a file, in bytes; 0 is no limit. Whoever copies the
	// output should drop the oldest of it beyond that, by a hole at the start of the
	// file, so that a workload cannot fill the disk while neither host nor executor
	// lives. Where the copier cannot, the host does it, and the executor once the file
	// has more than twice as much.
	Max int64 `json:"max,omitempty"`
	// Index, if set, is a file that exists, in which whoever copies the output may note
	// when it came: see package notes. Without notes the host samples.
	Index string `json:"index,omitempty"`
}

// Stdio are the standard streams of a process. The executor passes the paths to
// whatever collects the workload's output and outlives the executor. Output never
// crosses the connection to the host.
type Stdio struct {
	Stdin  Stream `json:"stdin,omitzero"`
	Stdout Stream `json:"stdout,omitzero"`
	Stderr Stream `json:"stderr,omitzero"`
	// Terminal makes the three streams one terminal of the process's own. Its
	// output goes to Stdout, its input comes from Stdin, and Stderr is null. The
	// spec's process.terminal says the same.
	Terminal bool `json:"terminal,omitempty"`
}

// Merged reports whether stdout and stderr are one stream, which they are when they
// have the same path. Each of the two stays in order, and no line is torn. The order
// between them is as good as the backend can make it: shims, for one, have a pipe for
// each.
func (s Stdio) Merged() bool { return s.Stdout.Path != "" && s.Stdout.Path == s.Stderr.Path }

// Needs returns the capabilities that a backend must have to receive s.
func (s Stdio) Needs() []Capability {
	var needs []Capability
	if s.Stdin.Kind != StreamNull {
		needs = append(needs, CapStdin)
	}
	if s.Terminal {
		needs = append(needs, CapTerminal)
	}
	if s.Stdout.Kind == StreamFIFO || s.Stderr.Kind == StreamFIFO {
		needs = append(needs, CapExec)
	}
	return needs
}

// Validate checks that paths are absolute, and that only streams with a kind have
// one. The error is [Invalid], or [Unsupported] for a kind that is not known.
func (s Stdio) Validate() error {
	for _, stream := range []Stream{s.Stdin, s.Stdout, s.Stderr} {
		switch stream.Kind {
		case StreamNull:
			if path := stream.Path + stream.Index; path != "" {
				return Errorf(Invalid, "stream %q has a path but no kind", path)
			}
		case StreamFile, StreamFIFO:
			if !filepath.IsAbs(stream.Path) {
				return Errorf(Invalid, "stream path %q is not absolute", stream.Path)
			}
			if stream.Index != "" && !filepath.IsAbs(stream.Index) {
				return Errorf(Invalid, "index path %q is not absolute", stream.Index)
			}
		default:
			return Errorf(Unsupported, "unknown stream kind %q", stream.Kind)
		}
	}
	if s.Terminal && s.Stderr.Kind != StreamNull {
		return Errorf(Invalid, "a terminal has one output, but stderr is a %s", s.Stderr.Kind)
	}
	return nil
}
