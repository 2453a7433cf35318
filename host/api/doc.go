// Package api serves a host over HTTP on a Unix socket, and is the client of it.
//
// # Routes
//
//	GET    /v1/version
//	GET    /v1/containers
//	POST   /v1/containers                    make a container and start it
//	POST   /v1/containers?attach=true        the same; streams output and end
//	GET    /v1/containers/{ref}
//	DELETE /v1/containers/{ref}              ?force=true
//	POST   /v1/containers/{ref}/start        one that has ended, once more
//	POST   /v1/containers/{ref}/kill         {"signal": "TERM"}, default KILL
//	POST   /v1/containers/{ref}/stop         {"timeout": "10s"}, negative: wait for ever
//	GET    /v1/containers/{ref}/wait         ?attempt=N, default the present one
//	GET    /v1/containers/{ref}/logs         ?follow, tail, stdout, stderr, since, until, timestamps,
//	                                         attempt=N, from_stdout=OFFSET, from_stderr=OFFSET
//	GET    /v1/containers/{ref}/attach       the same; follows, and streams the end as well
//	GET    /v1/backends
//	GET    /v1/backends/{name}/runtimes
//	GET    /v1/backends/{name}/check
//	GET    /v1/events                        ?after=N or ?tail=N, &follow=true
//
// Bodies are JSON, requests strictly so: one value, no unknown members, at most
// [MaxBody] bytes. A ref is an id, the beginning of one, or a name. The server
// never resolves a path against a working directory: paths in requests are
// absolute. Durations are written as in Go ("1m30s"), signals by name or number,
// both as strings, times as in RFC 3339.
//
// An error is a status and {"code": "not_found", "message": "…"}, where the code
// is an executor.Code. The client makes the same error of it again.
//
// # Streams
//
// Output is a sequence of frames as docker's raw streams have them: 8 bytes of
// header, namely the stream (1 is stdout, 2 is stderr), three zero bytes and the
// length of the data, big-endian; then the data. Frames of stream 0 hold
// messages, lines of JSON: {"container": …} when an attached container has
// started, {"cursor": {"attempt": 1, "stdout": N, "stderr": N}} where output that
// was asked for begins, {"end": …} when the attempt has ended,
// {"dropped": {"stream": 1, "bytes": N}} where output is not kept any more, and
// {"error": …} when the stream cannot go on. A message that is larger than a frame
// goes on in the next. Until the first frame, an error is an HTTP status as
// everywhere else.
//
// Events are one JSON object a line. A last line with an "error" member says why
// they end early. The header Davit-Events-After has the sequence that they follow.
//
// A client that hangs up ends what it waits for or reads, never a container.
//
// # Hosts that come back
//
// A host can be killed, restarted or upgraded while it is asked for something,
// and [Client] goes on when it is back; see Client.Patience. Other clients do the
// same as follows. A connection that breaks, or an error with "stopping": true,
// says that the host went away. Output goes on at attempt, from_stdout and
// from_stderr: the offsets of the cursor message, or 0 of an attached container's
// attempt 1, plus what came and what was dropped since. Each timestamp has 31
// bytes, which do not count. Events go on after the last one seen, a wait for the
// same attempt. A request that makes a container is repeated with the same
// request_id, and makes no second one.
//
// # Rationale
//
// Why one request for creating, starting, reading and waiting? Each request more
// costs a round trip of the command line that people wait for, and opens a gap in
// which a short-lived container can be removed before its output was asked for.
//
// Why no upgrade of the connection, as docker does? A chunked response says by
// itself whether it is complete, works with any HTTP client, and costs one system
// call for a line of output.
package api
