// Package transport carries calls between a host and an executor over
// hashicorp/go-plugin's net/rpc protocol, in both directions.
//
// It is the only package that knows net/rpc and go-plugin's broker. Above it,
// both sides see a [Conn] with one method, Call, and give a table of [Handlers]
// for what the other side may call. [Client] puts names and types on that for
// the host; package plugin does so for executors.
//
// # One choke point
//
// Every call is the same RPC method with the same flat envelope: call id,
// timeout, method, trace parent, and a body of JSON. What must hold for every
// call is therefore written once, here: deadlines and cancellation cross the
// wire, a panic in a handler becomes an error, errors keep their code, sizes
// and the number of calls at once are bounded, and a caller never waits longer
// than its context allows.
//
// # Rationale
//
// Why JSON inside gob? Gob drops pointers to zero values and decodes a 105-byte
// map into 640 MB, so gob carries strings, integers and bytes alone.
//
// Why a codec of our own? The codec of net/rpc cannot bound a message, and
// it starts handlers without telling in which order their calls came. Ours reads
// each message under a budget and registers a call while reading it, so that a
// cancellation can never overtake the call that it cancels.
//
// Why not the stream that go-plugin dispenses? It comes with net/rpc's own
// codec. We dispense for the handshake's sake and then open one broker stream
// for each direction, under fixed ids that the host chooses: a plugin that picks
// broker ids can wedge the host's broker.
//
// Why no epoch in the envelope? A connection belongs to one host process. Hello
// states the epoch once, and a newer Hello ends the older connection.
package transport
