package wasm_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
)

// assembler makes a module of a program of the conformance suite. The module has a
// few hundred bytes, and starts in a tenth of the time of a module made by a
// compiler.
type assembler struct {
	code []byte
	data []byte
}

// Functions that a module imports, by their index.
const (
	fdWrite = iota
	fdClose
	pathOpen
	pathStat
	pollOneoff
	procExit
	fdRead
	imported
)

// Types of functions, by their index.
const (
	i32, i64  = "\x7f", "\x7e"
	typeVoid  = "\x60\x00\x00"
	typeFour  = "\x60\x04" + i32 + i32 + i32 + i32 + "\x01" + i32
	typeOne   = "\x60\x01" + i32 + "\x01" + i32
	typeOpen  = "\x60\x09" + i32 + i32 + i32 + i32 + i32 + i64 + i64 + i32 + i32 + "\x01" + i32
	typeFive  = "\x60\x05" + i32 + i32 + i32 + i32 + i32 + "\x01" + i32
	typeTakes = "\x60\x01" + i32 + "\x00"
)

// Addresses in memory.
const (
	atVector = 0 // pointer and length of what is written
	atCount  = 8
	atFile   = 16 // descriptor of what was opened
	atStat   = 64
	atSleep  = 128
	atEvent  = 192
	atBuffer = 256 // up to atData
	atData   = 1024
)

const root = 3 // descriptor of the preopened root directory

// assemble writes the module into rootfs and returns its path in there.
func assemble(rootfs string, p conformance.Program, dir string) (string, error) {
	a := &assembler{}
	for _, s := range p {
		if !a.step(s, strings.TrimPrefix(dir, "/")+"/"+s.File) {
			return "", executor.Errorf(executor.Unsupported, "a module cannot handle signals, and has no terminal")
		}
	}
	module := a.module()
	sum := sha256.Sum256(module)
	name := hex.EncodeToString(sum[:8]) + ".wasm"
	draft, err := os.CreateTemp(rootfs, "draft")
	if err != nil {
		return "", err
	}
	defer draft.Close()
	if _, err := draft.Write(module); err != nil {
		return "", err
	}
	return "/" + name, os.Rename(draft.Name(), filepath.Join(rootfs, name))
}

func (a *assembler) step(s conformance.Step, file string) bool {
	fd := 1
	if s.Stream == "stderr" {
		fd = 2
	}
	switch s.Action {
	case conformance.Print:
		a.write(func() { a.number(fd) }, s.Text+"\n")
	case conformance.Count:
		var text strings.Builder
		for i := range s.N {
			text.WriteString(strconv.Itoa(i+1) + "\n")
		}
		a.write(func() { a.number(fd) }, text.String())
	case conformance.Mark:
		const create, appending, writing = 1, 1, 1 << 6
		a.number(root, 1)
		a.text(file)
		a.number(create)
		a.wide(writing, 0)
		a.number(appending, atFile)
		a.call(pathOpen)
		a.op(0x1a) // drop
		opened := func() { a.number(atFile); a.op(0x28, 2, 0) }
		a.write(opened, s.Text+"\n")
		opened()
		a.call(fdClose)
		a.op(0x1a)
	case conformance.Await:
		a.op(0x02, 0x40, 0x03, 0x40) // block, loop
		a.number(root, 1)
		a.text(file)
		a.number(atStat)
		a.call(pathStat)
		a.op(0x45, 0x0d, 1) // if zero, leave the block
		a.number(atSleep, atEvent, 1, atCount)
		a.call(pollOneoff)
		a.op(0x1a, 0x0c, 0, 0x0b, 0x0b) // drop, again, ends
	case conformance.Copy:
		a.op(0x02, 0x40, 0x03, 0x40) // block, loop
		a.vector(func() { a.number(atData - atBuffer) })
		a.number(0, atVector, 1, atCount)
		a.call(fdRead)
		count := func() { a.number(atCount); a.op(0x28, 2, 0) }
		a.op(0x1a) // drop
		count()
		a.op(0x45, 0x0d, 1) // if zero, leave the block
		a.vector(count)
		a.number(fd, atVector, 1, atCount)
		a.call(fdWrite)
		a.op(0x1a, 0x0c, 0, 0x0b, 0x0b) // drop, again, ends
	case conformance.Exit:
		a.number(s.N)
		a.call(procExit)
	default:
		return false
	}
	return true
}

func (a *assembler) op(codes ...byte) { a.code = append(a.code, codes...) }

func (a *assembler) call(function byte) { a.op(0x10, function) }

// number pushes 32-bit numbers.
func (a *assembler) number(ns ...int) {
	for _, n := range ns {
		a.op(0x41)
		a.code = appendSigned(a.code, n)
	}
}

// wide pushes 64-bit numbers.
func (a *assembler) wide(ns ...int) {
	for _, n := range ns {
		a.op(0x42)
		a.code = appendSigned(a.code, n)
	}
}

// text pushes the address of a text, and its length.
func (a *assembler) text(s string) {
	a.number(atData+len(a.data), len(s))
	a.data = append(a.data, s...)
}

// write writes a text to the descriptor that fd pushes.
func (a *assembler) write(fd func(), s string) {
	a.number(atVector)
	a.number(atData + len(a.data))
	a.op(0x36, 2, 0) // store
	a.number(atVector+4, len(s))
	a.op(0x36, 2, 0)
	a.data = append(a.data, s...)
	fd()
	a.number(atVector, 1, atCount)
	a.call(fdWrite)
	a.op(0x1a)
}

// vector makes a vector of the buffer, with the length that is pushed.
func (a *assembler) vector(length func()) {
	a.number(atVector, atBuffer)
	a.op(0x36, 2, 0) // store
	a.number(atVector + 4)
	length()
	a.op(0x36, 2, 0)
}

func (a *assembler) module() []byte {
	imports := ""
	for i, name := range []string{"fd_write", "fd_close", "path_open", "path_filestat_get", "poll_oneoff", "proc_exit", "fd_read"} {
		imports += vector("wasi_snapshot_preview1") + vector(name) + "\x00" + string([]byte{[]byte{1, 2, 3, 4, 1, 5, 1}[i]})
	}
	// A subscription to 2 ms of the monotonic clock.
	sleep := make([]byte, 48)
	sleep[16] = 1
	binary.LittleEndian.PutUint64(sleep[24:], 2e6)
	pages := (atData+len(a.data))>>16 + 1
	body := "\x00" + string(a.code) + "\x0b"
	return []byte("\x00asm\x01\x00\x00\x00" +
		"\x01" + vector("\x06"+typeVoid+typeFour+typeOne+typeOpen+typeFive+typeTakes) +
		"\x02" + vector("\x07"+imports) +
		"\x03" + vector("\x01\x00") +
		"\x05" + vector("\x01\x00"+length(pages)) +
		"\x07" + vector("\x02"+vector("memory")+"\x02\x00"+vector("_start")+"\x00"+string([]byte{imported})) +
		"\x0a" + vector("\x01"+vector(body)) +
		"\x0b" + vector("\x02"+segment(atSleep, string(sleep))+segment(atData, string(a.data))))
}

func segment(at int, data string) string {
	return "\x00\x41" + string(appendSigned(nil, at)) + "\x0b" + vector(data)
}

// vector returns bytes with their number in front.
func vector(s string) string { return length(len(s)) + s }

func length(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }

// appendSigned appends n as signed LEB128.
func appendSigned(b []byte, n int) []byte {
	for ; n > 63 || n < -64; n >>= 7 {
		b = append(b, byte(n&0x7f)|0x80)
	}
	return append(b, byte(n&0x7f))
}
