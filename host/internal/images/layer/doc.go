// Package layer unpacks the layers of images into directories that the kernel's overlay
// file system can stack.
//
// A layer lies in layers/NAME/fs, and what is known of it in layers/NAME/layer.json. It is
// unpacked elsewhere, checked, synced and then renamed, so that it is whole if it is there,
// also after a power failure. Its name is made of its chain id, which stands for the layer
// and all below it, since what a layer holds depends on those: a directory without an
// entry of its own has the attributes of the one below, and a hard link may lead there.
//
// # Why not a library
//
// Those that were tried have lost the content of files at a power failure, lost the
// attributes of parents, or refused hard links into lower layers.
//
// # What is taken from an archive
//
// Names are taken as a process in the image would see them: an absolute name, ".." and
// symbolic links stay inside. Nothing in an archive is trusted: its digests are verified
// while it is unpacked, and what it unpacks to has limits.
//
// A layer that is a WebAssembly module instead of an archive becomes a directory with that
// one file, [Module].
package layer
