// Package engine loads and runs WebAssembly modules of WASI preview 1.
//
//	program, err := engine.Load(ctx, plan) // nothing of the module has run yet
//	code, err := program.Run(ctx, engine.Stdio{...}, started)
//
// Load refuses a module that cannot run, with a message that says why: it is damaged,
// is not a program, needs functions that WASI does not have, or more memory than it
// may have.
//
// # Rationale
//
// Why is each module's compiled form in a directory of its own, beside a checksum?
// wazero keeps machine code, and checks only the code itself: a wrong number in its
// index would be jumped to. A directory is made under another name and appears
// complete. So any number of processes can use the cache at once, and any of them can
// be killed.
//
// Why is debug information ignored? Reading its compiled form takes three times as
// long as all the rest.
//
// Why is linear memory mapped and not on Go's heap? The most that a module may have
// is reserved as address space, and becomes usable as the module grows. Nothing is
// copied, the module takes only what it uses, and it sees when the machine has no
// more.
package engine
