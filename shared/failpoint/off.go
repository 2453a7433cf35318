//go:build !failpoint

package failpoint

// Hit does what the storm wants at the place with a name. The error is for places
// that can fail.
func Hit(string) error { return nil }

// Call is Hit for the beginning of a served call, at place call.METHOD.
func Call(string) error { return nil }

// Reply gives the body to reply to a call with, which is the right one unless the
// executor is to lie.
func Reply(_ string, body []byte) []byte { return body }

// Bug reports whether a deliberate bug is switched on.
func Bug(string) bool { return false }

// Leave leaves behind, after the deletion of a container, what the bugs that are
// switched on say.
func Leave(string) {}

// Variables names the variables of the environment that processes need for this
// package.
func Variables() []string { return nil }
