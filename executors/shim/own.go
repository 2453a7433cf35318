package shim

// Own stands for the shims within this very program. What makes a process of it
// one of them is a variable of its environment, in the form NAME=VALUE.
type Own struct {
	// Env makes it behave like containerd-shim-runc-v2.
	Env string
	// Mini makes it a small one, which does the same with fewer process starts
	// for all but terminals: see package minishim.
	Mini string
	// Version of the shim, shown to users.
	Version string
}

// self is this program, also after its file was replaced.
const self = "/proc/self/exe"
