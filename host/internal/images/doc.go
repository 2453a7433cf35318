// Package images keeps the images of a host, for all of its executors.
//
//	images/blobs/sha256/HEX  manifests, configs and layers as they came
//	images/ingest            blobs that are being written
//	images/ingest/partial    what there is of the blobs of pulls, for a day
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
// What a pull has fetched is needed by nobody until the whole image is there, so that a sweep
// takes its blobs. They have a second name, in images/ingest/partial, by which the next pull
// finds them, also that of the next host: nothing is fetched twice. A pull that has ended
// well, or found that the image cannot be right, removes those names.
//
// # What runs side by side
//
// The layers of a pull are unpacked in their order, each as soon as its blob is there, while
// further blobs are fetched. A layer is decompressed and hashed by one goroutine while
// another one writes its files. Others may unpack between two layers, so that a registry that
// is slow keeps nobody waiting.
//
// # What a pull costs
//
// An image of 127 MB in ten layers, of files of /usr, from the loopback, on two cores that
// others used as well (BenchmarkPull in host/rigs/e2e): 5.1 s of CPU, as many as ctr with
// containerd 2.4; ctr with 1.6 took 1.5 times, and docker 20.10 1.8 times as many. That all is
// on disk before a pull is over is in davit's time alone. Half of it is the file system's,
// which makes a file for each of the image's, a quarter decompression, and an eighth hashes.
// With six deaths of the host 1.014 times the image was fetched. The host needed 42 MiB of
// memory at its peak, and 34 MiB for an image of one empty file.
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
