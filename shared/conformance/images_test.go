package conformance

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// onReply breaks a method by what it does with the reply.
func onReply(name string, spoil func(body []byte, reply any, err error) (any, error)) intercept {
	return func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
		reply, err := next(method, body)
		if method == name {
			return spoil(body, reply, err)
		}
		return reply, err
	}
}

var _ = breaks(
	broken{name: "lists no images", fails: []string{"images"},
		call: onReply(transport.MethodImageList.Name, func(_ []byte, _ any, err error) (any, error) { return []executor.Image(nil), err })},
	broken{name: "knows any image", fails: []string{"image"},
		call: onReply(transport.MethodImage.Name, func(_ []byte, reply any, err error) (any, error) {
			if executor.CodeOf(err) == executor.NotFound {
				return executor.Image{Name: "any", Digest: "any"}, nil
			}
			return reply, err
		})},
	broken{name: "makes a root file system anew each time", fails: []string{"root", "root-unknown", "root-run", "root-list"},
		call: onReply(transport.MethodRootPrepare.Name, func(_ []byte, reply any, err error) (any, error) {
			if root, ok := reply.(executor.Root); ok && err == nil {
				_ = os.Remove(filepath.Join(root.Path, "note"))
			}
			return reply, err
		})},
	broken{name: "makes a root file system of nothing", fails: []string{"root-unknown"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			var r transport.RootRequest
			if method == transport.MethodRootPrepare.Name && executor.CodeOf(err) == executor.NotFound && json.Unmarshal(body, &r) == nil {
				return executor.Root{Path: "/" + r.ID}, nil
			}
			return reply, err
		}},
	broken{name: "deletes the root file system with an attempt", fails: []string{"root-run"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			var ref executor.Ref
			if method == transport.MethodDelete.Name && err == nil && json.Unmarshal(body, &ref) == nil && strings.HasPrefix(ref.ID, "cf-") {
				id, _ := json.Marshal(ref.ID)
				_, _ = next(transport.MethodRootRemove.Name, id)
			}
			return reply, err
		}},
	broken{name: "lists no root file systems", fails: []string{"root-list"},
		call: onReply(transport.MethodRootList.Name, func(_ []byte, _ any, err error) (any, error) { return []string(nil), err })},
	broken{name: "removes no root file systems", fails: []string{"root-list", "root-remove"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			if method == transport.MethodRootRemove.Name && !used(body, next) {
				return transport.None{}, nil
			}
			return next(method, body)
		}},
	broken{name: "removes root file systems that are used", fails: []string{"root-used"},
		call: onReply(transport.MethodRootRemove.Name, func(_ []byte, _ any, err error) (any, error) {
			return transport.None{}, errorAs(err, executor.FailedPrecondition, "")
		})},
)

// used reports whether the backend knows an attempt of the container whose id is body.
func used(body []byte, next func(string, []byte) (any, error)) bool {
	var id string
	if json.Unmarshal(body, &id) != nil {
		return false
	}
	list, _ := next(transport.MethodList.Name, []byte("{}"))
	all, _ := list.([]executor.Status)
	for _, status := range all {
		if status.Ref.ID == id {
			return true
		}
	}
	return false
}
