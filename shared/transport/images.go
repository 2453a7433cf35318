package transport

import (
	"context"
	"slices"

	"github.com/davit-run/davit/shared/executor"
)

// maxImages bounds the values of replies about images: a config tells how its image was
// built, step by step.
const maxImages = 200_000

// MethodImageList calls [executor.ImageKeeper].Images.
var MethodImageList = define(Method[None, []executor.Image]{
	Name:       "image-list",
	Doc:        "lists the images that the backend has",
	Capability: executor.CapImages,
	Limit:      Ask,
	MaxReply:   maxImages,
	CheckReply: func(_ None, all []executor.Image) error {
		for _, image := range all {
			if err := image.Validate(); err != nil {
				return err
			}
		}
		return nil
	},
	Serve: upgrade(func(ctx context.Context, b executor.ImageKeeper, _ None) ([]executor.Image, error) {
		return b.Images(ctx)
	}),
})

// MethodImage calls [executor.ImageKeeper].Image.
var MethodImage = define(Method[string, executor.Image]{
	Name:       "image",
	Doc:        "describes an image that the backend has",
	Capability: executor.CapImages,
	Limit:      Ask,
	MaxReply:   maxImages,
	CheckReply: func(_ string, image executor.Image) error { return image.Validate() },
	Serve: upgrade(func(ctx context.Context, b executor.ImageKeeper, name string) (executor.Image, error) {
		return b.Image(ctx, name)
	}),
})

// RootRequest is the body of MethodRootPrepare.
type RootRequest struct {
	ID     string `json:"id"`
	Digest string `json:"digest,omitempty"`
}

// MethodRootPrepare calls [executor.ImageKeeper].PrepareRoot. An image may have to be
// unpacked for it.
var MethodRootPrepare = define(Method[RootRequest, executor.Root]{
	Name:       "root-prepare",
	Doc:        "makes the root file system of a container from an image",
	Capability: executor.CapImages,
	Lock:       LockContainer,
	Limit:      Start,
	Repeat:     true,
	Ref:        func(r RootRequest) executor.Ref { return wholeOf(r.ID) },
	CheckReply: func(_ RootRequest, root executor.Root) error { return root.Validate() },
	Serve: upgrade(func(ctx context.Context, b executor.ImageKeeper, r RootRequest) (executor.Root, error) {
		return b.PrepareRoot(ctx, r.ID, r.Digest)
	}),
})

// MethodRootRemove calls [executor.ImageKeeper].RemoveRoot.
var MethodRootRemove = define(Method[string, None]{
	Name:       "root-remove",
	Doc:        "removes the root file system of a container",
	Capability: executor.CapImages,
	Lock:       LockContainer,
	Limit:      End,
	Repeat:     true,
	Ref:        wholeOf,
	Serve: upgrade(func(ctx context.Context, b executor.ImageKeeper, id string) (None, error) {
		return None{}, b.RemoveRoot(ctx, id)
	}),
})

// MethodRootList calls [executor.ImageKeeper].Roots.
var MethodRootList = define(Method[None, []string]{
	Name:       "root-list",
	Doc:        "lists the containers with root file systems from images of the backend",
	Capability: executor.CapImages,
	Limit:      Ask,
	MaxReply:   maxImages,
	CheckReply: func(_ None, ids []string) error {
		i := slices.IndexFunc(ids, func(id string) bool { return executor.ValidateID(id) != nil })
		if i < 0 {
			return nil
		}
		return executor.ValidateID(ids[i])
	},
	Serve: upgrade(func(ctx context.Context, b executor.ImageKeeper, _ None) ([]string, error) {
		return b.Roots(ctx)
	}),
})

// wholeOf returns a ref by which a call about a container as a whole is locked and
// observed. It belongs to no attempt.
func wholeOf(id string) executor.Ref { return executor.Ref{ID: id, Attempt: 1} }
