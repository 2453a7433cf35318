// Package images keeps the images of a host, for all of its executors.
//
//	images/blobs/sha256/HEX  manifests, configs and layers as they came
//	images/ingest            blobs that are being written
//	images/layers/NAME       layers, unpacked; see package layer
//	images/tmp               what is being made or removed
//
// Their records are in the host's store. Each step makes something whole appear: a blob,
// then the layers, then the record. What a step that was interrupted has left is not
// reachable from a record, and is removed by the next sweep.
//
// # What is kept
//
// A sweep keeps what images need, what the root file systems of containers need, and what
// somebody holds who is about to record it. It removes everything else. So an image can be
// removed while containers run from it: the layers go with the last of them.
//
// # What goes out
//
// Blobs are kept as they came, compressed or not, for as long as an image needs them. So a
// save or a push sends the very bytes that the manifest names, and the image has the same
// digest everywhere. Nothing here removes a blob of an image. If one was lost all the same,
// a save fails before it writes anything, and a push fails unless the registry has it: it is
// never made anew from the unpacked layer, whose archive may have been another. A pull or a
// load of the image brings it back.
package images
