// Package api is the API of a host over HTTP on a Unix socket: the types that users see,
// the table of routes, the client, and the handler. It does not import package host. So a
// program that only talks to a host links little else.
//
// # Routes
//
// A route is one value in a file of its own, such as kill.go, beside the method of
// [Client] that makes the request. The handler, the client's requests, and the list that
// [Routes] returns and a host serves all follow from it:
//
//	curl --unix-socket /run/davit/davit.sock http://davit/v1
//
// GET /v1/openapi.json describes them, with all types, as an OpenAPI document. To add a route,
// write such a file and the method of host.Host that it needs, and run
// go test ./host/api -run TestOpenAPIDocs -update. Nothing else is edited.
// pause.go is an example.
//
// Bodies are JSON. A request's body must be one value without unknown members, of at
// most [MaxBody] bytes. A ref is an id, the beginning of one, or a name. Paths in
// requests are absolute. Durations are strings as in Go ("1m30s"), signals are strings
// with a name or a number, and times are as in RFC 3339.
//
// An error is a status and {"code": "not_found", "message": "…"}, where the code is an
// executor.Code. The client returns an error with the same code and message.
//
// # Streams
//
// Output is a sequence of frames like those of docker's raw streams. A frame has a header
// of 8 bytes: the stream (1 is stdout, 2 is stderr), three zero bytes, and the length of
// the data, big-endian. The data follow. Frames of stream 0 have messages, which are
// lines of JSON:
//
//   - {"container": …} when an attached container has started;
//   - {"cursor": {"attempt": 1, "stdout": N, "stderr": N}} where the output begins;
//   - {"dropped": {"stream": 1, "bytes": N}} where output is not kept any more;
//   - {"end": …} when the attempt has ended;
//   - {"error": …} when the stream cannot go on.
//
// A message that is larger than a frame continues in the next. An error before the first
// frame is an HTTP status, as everywhere else.
//
// # Attached clients
//
// Requests to be attached to a process are upgraded with the headers Connection: Upgrade
// and Upgrade: davit-stream/1, which has the version. After the answer 101 both sides send
// frames as above. Those of stream 3 are the client's, with input. Its messages are
//
//   - {"ack": {"stdout": N, "stderr": N}}: it has the output up to these offsets;
//   - {"close_input": true} after its last input, {"signal": "TERM"}, {"detach": true};
//   - {"resize": {"width": N, "height": N}}, or "redraw" for a screen that is to come anew.
//
// The host's are those above, and
//
//   - {"begun": {…}} first: what the client is attached to, where the output begins, and at
//     which offset the input goes on;
//   - {"taken": N}: the process was given the input up to an offset. At most 256 KiB may be
//     on the way;
//   - {"detached": true}, and {"ping": true} every 20 seconds.
//
// The host sends no more of a stream before what it has sent is acknowledged, and does not
// keep what was. A client that comes back repeats its request, with the id of its exec or the
// attempt of its container, the same name as client, and the offsets that it has. It has 30
// seconds before its exec is hung up.
//
// Events are one JSON object a line. If they end early, a last line with an "error"
// member says why. The header Davit-Events-After has the sequence after which they begin.
//
// Files are tar streams as the body, both ways. The trailer Davit-Stream-End follows one
// that the host sends: {} if it is complete, or the error that has cut it short, which
// leaves it without the end that a tar stream has.
//
// A client that closes its connection ends its request, never a container.
//
// # TCP
//
// [ListenTLS] makes a listener on TCP for [Serve], and [NewTLSClient] a client of it. Both ends
// have certificates. There is no listener on TCP without: whoever can use the API is root. All
// else is the same.
//
// # Traces
//
// A request with a header traceparent that is sampled is traced, if the host has somewhere to
// send that: see Options.Trace, [WithTraceparent] and package trace.
//
// # Hosts that come back
//
// A host can be killed, restarted or upgraded during a request. [Client] goes on when the
// host is back; see Client.Patience. Other clients can do the same. A connection that
// breaks, or an error with "stopping": true, means that the host went away. To go on:
//
//   - Ask for output from attempt, from_stdout and from_stderr: the offsets of the cursor
//     message, or 0 of attempt 1 for an attached container, plus what came and what was
//     dropped since. A timestamp has 31 bytes, which do not count.
//   - Ask for events after the last one seen.
//   - Wait for the same attempt.
//   - Repeat a request that makes a container with the same request_id. It makes no
//     second one.
//
// # Rationale
//
// Why one request for creating, starting, reading and waiting? Each further request costs
// a round trip, for which people at the command line wait. It also opens a gap in which a
// short-lived container can be removed before anybody asks for its output.
//
// Why one table, and requests that are structs with tags? A handler, a client and a list
// that are kept by hand drift apart: a route was missing from the list. A struct says
// once where each parameter stands, for both ends and for the list. What it does not name
// is refused without a line of code.
//
// Why may the host be any value? To name its type the package would have to import the
// host, with the store, the supervisor and the parsers: a client was 19 MB large with
// them. A route names the one method that it needs. A test checks that host.Host has the
// methods of all routes.
//
// Why does the listener on TCP shake hands, and not http.Server? In TLS 1.3 a client hears that
// it is refused after it has sent its request. A server that closes the connection at once,
// with that request unread, resets it, and the client would see no reason. It also bounds how
// many strangers are listened to at once.
//
// Why is a connection not upgraded, as docker's is, where only output is read? A chunked
// response shows whether it is complete, works with any HTTP client, and costs one system
// call for a line of output.
package api
