package shim

// Own stands for a shim within this very program: a process of it that is
// started with Env in its environment behaves like containerd-shim-runc-v2.
type Own struct {
	// Env has the form NAME=VALUE.
	Env string
	// Version of the shim, shown to users.
	Version string
}

// self is this program, also after its file was replaced.
const self = "/proc/self/exe"
