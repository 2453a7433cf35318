// Package engine loads and runs WebAssembly modules of WASI preview 1.
//
//	program, err := engine.Load(ctx, plan) // nothing of the module has run yet
//	code, err := program.Run(ctx, engine.Stdio{...}, started)
//
// A module that cannot run is refused by Load, with a message that says why: one
// that is damaged, that is no program, that needs functions which WASI does not
// have, or more memory than it may have.
//
// # Rationale
//
// Why is each module's compiled form in a directory of its own, beside a
// checksum? wazero keeps machine code, and checks of it the code alone; a wrong
// number in its index would be jumped to. A directory is made under another name
// and appears complete, so that any number of processes can use the cache at once,
// and any of them can be killed.
//
// Why is debug information ignored? Reading its compiled form back takes three
// times as long as all the rest.
//
// Why is linear memory mapped and not on Go's heap? What a module may have is
// reserved, and becomes usable as the module grows: nothing is copied, it takes
// what it uses, and when the machine has no more the module is told.
package engine
