package main

import (
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// startTime returns when we were started, in ticks since boot.
func startTime() (string, error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return fields[19], nil
}

// counters returns a function that sets one of the two counters of a file, which is
// mapped into our memory.
func counters(path string) (set func(i int, n uint64) error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mem, err := syscall.Mmap(int(f.Fd()), 0, 16, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	both := (*[2]uint64)(unsafe.Pointer(&mem[0]))
	return func(i int, n uint64) error {
		atomic.StoreUint64(&both[i], n)
		return nil
	}, nil
}
