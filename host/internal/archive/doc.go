// Package archive copies files between a tree of directories that somebody else controls
// and tar streams. Nothing that is in the tree or in a stream leads out of the tree: no
// link, no "..", no absolute name, and no change that is made while it is read.
//
// # Rationale
//
// Why by openat2? A container can put a link in place of a directory between a check and
// the use of a path. The kernel looks each part of a path up with the root in mind, and
// every further step begins at a descriptor.
//
// Why are links of a stream never followed, and those of the tree are? A tree may well
// have /lib as a link to usr/lib, and files for lib are meant to go there. A stream that
// makes a link and then writes through it means no good.
//
// Why is each file written under another name first? A stream that breaks off leaves the
// old file, not half of the new one, and what runs never sees one that is incomplete.
package archive
