package main

import (
	"context"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// faulty is a file system that fails when it is asked to.
type faulty struct {
	server *fuse.Server
	fault  atomic.Int32
}

func mount(dir, backing string) (*faulty, error) {
	f := &faulty{}
	loop, err := fs.NewLoopbackRoot(backing)
	if err != nil {
		return nil, err
	}
	data := loop.(*fs.LoopbackNode).RootData
	root := &node{fs.LoopbackNode{RootData: data}, f}
	data.RootNode = root
	f.server, err = fs.Mount(dir, root, &fs.Options{
		MountOptions: fuse.MountOptions{FsName: "davit-disktest", DirectMountStrict: true, EnableLocks: false},
	})
	return f, err
}

// grows is the fault of what needs room, and changes that of what changes
// anything.
func (f *faulty) grows() syscall.Errno { return syscall.Errno(f.fault.Load()) }

func (f *faulty) changes() syscall.Errno {
	if e := f.grows(); e == unix.EROFS {
		return e
	}
	return 0
}

// node is a file or directory.
type node struct {
	fs.LoopbackNode
	faulty *faulty
}

// WrapChild implements [fs.NodeWrapChilder].
func (n *node) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{fs.LoopbackNode{RootData: ops.(*fs.LoopbackNode).RootData}, n.faulty}
}

// Create implements [fs.NodeCreater].
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if e := n.faulty.grows(); e != 0 {
		return nil, nil, 0, e
	}
	child, h, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return child, n.handle(h), fuseFlags, errno
}

// Mkdir implements [fs.NodeMkdirer].
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.faulty.grows(); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

// Mknod implements [fs.NodeMknoder].
func (n *node) Mknod(ctx context.Context, name string, mode, rdev uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.faulty.grows(); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Mknod(ctx, name, mode, rdev, out)
}

// Symlink implements [fs.NodeSymlinker].
func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.faulty.grows(); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Symlink(ctx, target, name, out)
}

// Link implements [fs.NodeLinker].
func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.faulty.grows(); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Link(ctx, target, name, out)
}

// Open implements [fs.NodeOpener].
func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if e := n.faulty.changes(); e != 0 && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, e
	}
	h, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return n.handle(h), fuseFlags, errno
}

// handle is an open file.
type handle struct {
	*fs.LoopbackFile
	faulty *faulty
}

func (n *node) handle(h fs.FileHandle) fs.FileHandle {
	if f, ok := h.(*fs.LoopbackFile); ok {
		return &handle{f, n.faulty}
	}
	return h
}

// PassthroughFd implements [fs.FilePassthroughFder]: the kernel is not to go past
// us.
func (h *handle) PassthroughFd() (int, bool) { return 0, false }

// Write implements [fs.FileWriter].
func (h *handle) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	if e := h.faulty.grows(); e != 0 {
		return 0, e
	}
	return h.LoopbackFile.Write(ctx, data, off)
}

// Writev implements [fs.FileWritever].
func (h *handle) Writev(ctx context.Context, data [][]byte, off int64) (uint32, syscall.Errno) {
	if e := h.faulty.grows(); e != 0 {
		return 0, e
	}
	return h.LoopbackFile.Writev(ctx, data, off)
}

// Allocate implements [fs.FileAllocater].
func (h *handle) Allocate(ctx context.Context, off, size uint64, mode uint32) syscall.Errno {
	if e := h.faulty.changes(); e != 0 {
		return e
	}
	return h.LoopbackFile.Allocate(ctx, off, size, mode)
}

// Setattr implements [fs.NodeSetattrer].
func (n *node) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if e := n.faulty.changes(); e != 0 {
		return e
	}
	return n.LoopbackNode.Setattr(ctx, h, in, out)
}

// Setxattr implements [fs.NodeSetxattrer].
func (n *node) Setxattr(ctx context.Context, attr string, data []byte, flags uint32) syscall.Errno {
	if e := n.faulty.changes(); e != 0 {
		return e
	}
	return n.LoopbackNode.Setxattr(ctx, attr, data, flags)
}

// Unlink implements [fs.NodeUnlinker].
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if e := n.faulty.changes(); e != 0 {
		return e
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

// Rmdir implements [fs.NodeRmdirer].
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	if e := n.faulty.changes(); e != 0 {
		return e
	}
	return n.LoopbackNode.Rmdir(ctx, name)
}

// Rename implements [fs.NodeRenamer].
func (n *node) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if e := n.faulty.changes(); e != 0 {
		return e
	}
	return n.LoopbackNode.Rename(ctx, name, parent, newName, flags)
}

// Statfs implements [fs.NodeStatfser].
func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	e := n.LoopbackNode.Statfs(ctx, out)
	if n.faulty.grows() != 0 {
		out.Bfree, out.Bavail = 0, 0
	}
	return e
}
