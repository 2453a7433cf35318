package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// greeting returns a module for WASI that prints a word of less than 100 bytes.
func greeting(word string) []byte {
	vector := func(parts ...string) string { // of parts, with their number before them
		return string(rune(len(parts))) + strings.Join(parts, "")
	}
	text := func(s string) string { return string(rune(len(s))) + s }
	section := func(id, content string) string { return id + text(content) }
	const i32, none = "\x7f", "\x00"
	return []byte("\x00asm\x01\x00\x00\x00" +
		section("\x01", vector("\x60"+vector(i32, i32, i32, i32)+vector(i32), "\x60"+none+none)) +
		section("\x02", vector(text("wasi_snapshot_preview1")+text("fd_write")+"\x00\x00")) +
		section("\x03", vector("\x01")) +
		section("\x05", vector("\x00\x01")) + // a memory of a page
		section("\x07", vector(text("memory")+"\x02\x00", text("_start")+"\x00\x01")) +
		// fd_write(1, 0, 1, 16), and drop its result
		section("\x0a", vector(text(none+"\x41\x01\x41\x00\x41\x01\x41\x10\x10\x00\x1a\x0b"))) +
		section("\x0b", vector("\x00\x41\x00\x0b"+text("\x08\x00\x00\x00"+string(rune(len(word)))+"\x00\x00\x00"+word))))
}

// TestWasmImage makes an image of a module, and runs it.
func TestWasmImage(t *testing.T) {
	s := newSite(t, "backend \"wasm\" {\n  executor = \"wasm\"\n}\n")
	module := filepath.Join(s.dir, "hello.wasm")
	if err := os.WriteFile(module, greeting("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := s.must("import", module, "hello")
	if got := s.must("images", "--format", "{{.Name}} {{.Platform}}"); got != "hello:latest wasip1/wasm" {
		t.Errorf("images printed %q", got)
	}
	if r := s.run("run", "--rm", "hello"); r.code != 0 || r.stdout != "hello\n" {
		t.Errorf("got %+v", r)
	}
	archive := filepath.Join(s.dir, "hello.tar")
	s.must("save", "-o", archive, "hello")
	s.must("rmi", "hello")
	s.noImages()
	s.must("load", "-i", archive)
	if got := s.must("image", "inspect", "--format", "{{.ID}}", "hello"); got != id {
		t.Errorf("loaded %s, saved %s", got, id)
	}
	if r := s.run("run", "--rm", "hello"); r.code != 0 || r.stdout != "hello\n" {
		t.Errorf("what was loaded: got %+v", r)
	}
}
