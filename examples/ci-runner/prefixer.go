package main

import (
	"bytes"
	"io"
)

// prefixer writes whole lines, each with a prefix.
type prefixer struct {
	to      io.Writer
	prefix  string
	partial []byte
}

func (p *prefixer) write(data []byte) error {
	p.partial = append(p.partial, data...)
	for {
		line, rest, ok := bytes.Cut(p.partial, []byte("\n"))
		if !ok {
			return nil
		}
		if _, err := io.WriteString(p.to, p.prefix+string(line)+"\n"); err != nil {
			return err
		}
		p.partial = rest
	}
}

// flush writes a last line that has no end.
func (p *prefixer) flush() {
	if len(p.partial) > 0 {
		_ = p.write([]byte("\n"))
	}
}
