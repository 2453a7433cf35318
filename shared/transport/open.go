package transport

import "github.com/davit-run/davit/shared/executor"

// OpenReply says what an opened backend can do.
type OpenReply struct {
	Capabilities []executor.Capability `json:"capabilities"`
}

// MethodOpen opens the backend. Opening it again with an equal environment changes
// nothing; with another one it is [executor.FailedPrecondition].
var MethodOpen = define(Method[executor.Environment, OpenReply]{
	Name:  "open",
	Doc:   "opens the backend",
	Limit: Start,
})
