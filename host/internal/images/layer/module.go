package layer

import (
	"archive/tar"
	"bytes"
	"io"
	"time"
)

// Module is the name of the one file of a layer that is a WebAssembly module and no archive,
// as the layers of WebAssembly artifacts are.
const Module = "module.wasm"

// IsModule reports whether bytes begin as each WebAssembly module does. No archive does: its
// first entry would have no name.
func IsModule(head []byte) bool { return bytes.HasPrefix(head, []byte("\x00asm")) }

// module unpacks a layer that is a module.
func (u *unpacker) module(r io.Reader) error {
	if err := u.entry(&tar.Header{Typeflag: tar.TypeReg, Name: Module, Mode: 0o755, ModTime: time.Unix(0, 0)}, r); err != nil {
		return err
	}
	return u.finish()
}
