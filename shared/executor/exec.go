package executor

// CapExec is the capability of backends that run further processes in a running
// attempt: those that know [Ref.Exec]. A backend without it never receives such a ref.
//
// Every method that takes a Ref serves a further process as it serves the first one.
//
//   - Create starts it. The spec is then the process object of an OCI runtime spec alone,
//     and there is no Runtime. An attempt that does not run, or is paused, is
//     [FailedPrecondition], an unknown one [NotFound]. A command that does not exist or
//     cannot be executed is the error that it is for a first process, and nothing is
//     left. Create of the same ref again returns the status that the process has.
//   - A Create, Restore or Delete of it excludes neither those of the attempt's first
//     process nor those of another one.
//   - List returns it like an attempt, until it is deleted.
//   - It ends at the latest when the attempt does, and is then reported, before or after
//     the attempt. Delete of the attempt removes what is left of it.
//   - A SIGKILL for it kills the process alone, not what it has started.
//
// A further process that has ended while another that it started still has its output
// open is released when there is nothing more to read for a while; its output is then
// truncated, unless the streams are files: those whom it left behind write on.
//
// If the output goes to a FIFO ([StreamFIFO]), the backend has it open for reading from
// before the start until all of it was read by somebody, so that nothing is lost while
// nobody else reads. It does not read itself. A reader that does not come holds up this
// process, and nothing else for long: an attempt that has ended is released after a while,
// and what of its further processes nobody has read by then may be lost, and is called
// truncated. The process is released when the FIFO is empty and has no writer; a host that
// gives up deletes the process.
var CapExec = feature("exec")
