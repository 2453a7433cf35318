package realtest

import "os"

// Matrix reports whether to test every combination of what is supported (`make
// matrix`). Without it tests take a choice in which each version of a daemon and each
// generation of shims is there once.
func Matrix() bool { return os.Getenv("DAVIT_MATRIX") == "1" }
