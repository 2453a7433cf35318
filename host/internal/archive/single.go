package archive

import (
	"archive/tar"
	"io"
	"os"
)

// Writer writes a tar stream entry by entry.
type Writer struct{ p *packer }

// NewWriter returns a writer of a stream with the owners that files have here.
func NewWriter(w io.Writer) Writer {
	p := newPacker(w, IDs{}, 0)
	p.single = true
	return Writer{p}
}

// Add adds a file, or a directory without what is in it, as [Pack] adds it. f is an O_PATH
// descriptor of it. Nothing is added for a socket.
func (w Writer) Add(f *os.File, name string) error {
	st, err := stat(f)
	if err != nil {
		return err
	}
	w.p.dev = uint64(st.Dev)
	return w.p.add(f, st, name)
}

// AddEmpty adds an empty file that nobody but its owner may read.
func (w Writer) AddEmpty(name string) error {
	return w.p.header(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600}, nil)
}

// Close ends the stream.
func (w Writer) Close() error { return w.p.tar.Close() }
