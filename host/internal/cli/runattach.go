package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/pflag"
)

// attachFlags say which streams of a container `davit run` is attached to, and whether it
// passes signals on. Without a stream it is attached to all that the container has.
type attachFlags struct {
	stdin, stdout, stderr bool
	signals               bool
}

func (f *attachFlags) register(fs *pflag.FlagSet) {
	fs.FuncP("attach", "a", "`STREAM` to be attached to, stdin, stdout or stderr, and to no other; may be repeated", f.add)
	fs.BoolVar(&f.signals, "sig-proxy", true, "pass signals on to the container")
}

// add attaches to a stream of a flag.
func (f *attachFlags) add(stream string) error {
	switch strings.ToLower(stream) {
	case "stdin":
		f.stdin = true
	case "stdout":
		f.stdout = true
	case "stderr":
		f.stderr = true
	default:
		return errors.New("use stdin, stdout or stderr")
	}
	return nil
}

// some reports whether streams are named.
func (f attachFlags) some() bool { return f.stdin || f.stdout || f.stderr }

// shows reports whether the output of a stream is printed.
func (f attachFlags) shows(s api.Stream) bool {
	return !f.some() || f.stdout && s == api.Stdout || f.stderr && s == api.Stderr
}

// silent reports whether no output is printed. The id is printed instead, as docker does.
func (f attachFlags) silent() bool { return f.some() && !f.stdout && !f.stderr }

// apply checks the flags, and sets in o and streams what follows from them.
func (f attachFlags) apply(o *api.ContainerOptions, streams *streamFlags, detach bool) error {
	switch {
	case f.some() && detach:
		return errors.New("both --attach and --detach are given; use one")
	case f.stdin && !o.Stdin:
		return errors.New("--attach stdin needs -i, without which the container has no input")
	case f.some() && !f.stdin && o.Stdin: // others may attach to it
		streams.stdin, o.KeepInput = false, true
	}
	return nil
}

// attachedOutput returns what prints output, of those streams that are attached.
func (a *App) attachedOutput(f attachFlags) api.Sink {
	return func(s api.Stream, data []byte) error {
		if !f.shows(s) {
			return nil
		}
		return a.output(s, data)
	}
}

// attachedTo prints the id of a container of which no output is printed.
func (a *App) attachedTo(f attachFlags, id string) {
	if f.silent() {
		fmt.Fprintln(a.Stdout, id)
	}
}
