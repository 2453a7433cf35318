// Package minishim is the executor's own shim for runc: the parent of one
// container, which carries its output and knows its exit. It speaks the part of
// containerd's task API that the executor uses, so that for the rest of the
// executor it is a shim like any other.
//
// # Rationale
//
// Why another shim, when containerd's can be linked in? A container that does
// next to nothing costs its process starts. Of the three starts of runc that
// other shims need, this one needs the first: see [state].
//
// Why may it do without `runc start` and `runc delete`? The one reads a byte from
// a FIFO in runc's state directory, and the other removes that directory and the
// cgroups that its state names. Both are done here, if the state is one that runc
// wrote and there is nothing else to do, such as hooks or a systemd unit; else
// runc is called.
//
// Why does a write that fails end the copying of a stream? Because the shims of
// containerd do so, and package spool looks after the output of both alike, in this
// process too.
//
// What is missing? Terminals, for which the executor uses containerd's shim.
package minishim
