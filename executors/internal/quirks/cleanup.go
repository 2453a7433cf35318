package quirks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
)

// A create whose caller was killed is cleaned up by containerd in the background,
// also while the next create of the same id goes on. The next create then finds
// something of the first (a task, or a container of runc's), or the clean-up removes
// something of the next one (its bundle, the directory that its shim works in, the
// file that says where the shim listens).
//
// Versions: containerd 1.6, 1.7 and 2.4; bootstrap.json from 2.0 on.
// Source: cleanupAfterDeadShim in containerd's core/runtime/v2 goes by the id alone. The
// words are those of runc and crun; of binary.go for bootstrap.json; of an os.PathError;
// and of the shim's call of os.Getwd.
// See https://github.com/containerd/containerd/issues/4133 (runc's container stays) and
// https://github.com/containerd/containerd/issues/11392 (the task stays).
// Can go: when containerd refuses a create, by a class of its own, while it cleans up
// for the same id.

// LeftByAnother reports whether a create of the container cid failed because an earlier
// one was cut off and is still being cleaned up, so that it may be tried again. It is for
// errors about an id that had no record.
//
// That there is a task is a class of containerd's. Everything else is the whole message,
// with the container's id where it has one: hooks, images and commands can only write a
// part of a message.
func LeftByAnother(err error, cid string) bool {
	if errdefs.IsAlreadyExists(err) {
		return true
	}
	message := whole(err)
	if slices.Contains([]string{
		"container with given ID already exists", // runc
		"container with id exists: " + cid,       // runc 1.0
		"container `" + cid + "` already exists", // crun
		"failed to write bootstrap.json: open bootstrap.json: no such file or directory",
	}, message) {
		return true
	}
	// A runtime that says that it has made a container, and has made nothing, leaves no
	// init.pid. That is not for another try to change.
	return !strings.HasSuffix(message, "/init.pid: no such file or directory") &&
		regexp.MustCompile(`^[a-z]+ /\S*/io\.containerd\.runtime\.[^/ ]+/[^/ ]+/`+regexp.QuoteMeta(cid)+`(/\S*)?: no such file or directory$`).MatchString(message) ||
		regexp.MustCompile(`^(io\.containerd\.\S+: )?getwd: no such file or directory(: exit status \d+)?$`).MatchString(message)
}

// containerd forgets a bundle if it is killed while it starts the shim, and then cannot
// make another one of the same id.
//
// Versions: seen with containerd 1.6.20, and reported of later ones.
// Source: NewBundle in containerd's core/runtime/v2/bundle.go.
// See https://github.com/moby/moby/issues/50040; a remedy is proposed in
// https://github.com/containerd/containerd/pull/13248.
// Can go: with the support of releases in which NewBundle cannot replace a bundle.

// BundleInTheWay returns the bundle that keeps the task of the container cid from being
// created, "" if err has another cause. The caller must check the path before it does
// anything to it.
func BundleInTheWay(err error, cid string) string {
	form := regexp.MustCompile(`^mkdir (/\S*/io\.containerd\.runtime\.[^/ ]+/[^/ ]+/` + regexp.QuoteMeta(cid) + `): file exists$`)
	if m := form.FindStringSubmatch(whole(err)); m != nil {
		return m[1]
	}
	return ""
}

// whole returns the message of an error of containerd's or of a shim's, without what was
// wrapped around it. Its beginning and end are then those of the innermost message.
func whole(err error) string {
	return Plain(err.Error())
}
