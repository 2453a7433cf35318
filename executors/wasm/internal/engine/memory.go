package engine

import (
	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// pageSize is a page of linear memory.
const pageSize = 64 << 10

// maxMemory is all that 32 bits can address.
const maxMemory = 4 << 30

// memory is the linear memory of a module: address space of which the beginning
// can be used.
type memory struct {
	space []byte
	used  uint64
}

func newMemory(_, most uint64) experimental.LinearMemory {
	m := &memory{}
	if most > 0 {
		// Without address space the memory cannot grow, and the module sees that.
		m.space, _ = unix.Mmap(-1, 0, int(most), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	}
	return m
}

// Reallocate implements [experimental.LinearMemory].
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.space)) {
		return nil
	}
	if size > m.used {
		if err := unix.Mprotect(m.space[m.used:size], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return nil
		}
		m.used = size
	}
	return m.space[:size:size]
}

// Free implements [experimental.LinearMemory].
func (m *memory) Free() {
	if m.space != nil {
		_ = unix.Munmap(m.space)
		m.space = nil
	}
}
