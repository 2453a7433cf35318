package transport

// Lock says which calls for one backend exclude each other. The plugin kit takes the
// locks; the host need not know them. A call that preempts others ([Method.Preempts])
// ends those that yield before it takes its own lock.
type Lock int

const (
	// LockNone excludes nothing.
	LockNone Lock = iota
	// LockContainer excludes other calls that lock the same container: those that
	// start, adopt or remove a process. Those about a further process exclude only others
	// about the same.
	LockContainer
	// LockProcess excludes other calls that lock the same process, but none that lock
	// its container: a signal does not wait for a Create of two minutes.
	LockProcess
)
