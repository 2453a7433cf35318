package realtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// IllBehaved is an OCI runtime or a shim that does one thing wrong: a script around a
// good one.
type IllBehaved struct {
	Name string
	// Path is the script. Shim says that it is a shim, and not an OCI runtime.
	Path string
	Shim bool
	// Verb is what it does wrong, and How in which way.
	Verb, How string
	// Says is what the error of a create has in it, if that fails.
	Says string
}

// Muted returns it for a shim of containerd's, which discards what a runtime prints when
// that fails: only its exit code is left.
func (i IllBehaved) Muted() IllBehaved {
	if !i.Shim && i.Says != "" {
		i.Says = "exit status 7"
	}
	return i
}

// faults are the ways to do a verb wrong, as commands of a shell.
var faults = []struct{ how, script, says string }{
	{"fails", `echo "VERB is broken" >&2; exit 7`, "VERB is broken"},
	{"hangs", `exec sleep 100000`, ""},
	{"garbage", `printf '\377\000garbage {\n'; exit 0`, ""},
	{"nothing", `exit 0`, ""},
	{"killed", `kill -9 $$`, ""},
	{"late", `sleep 1; exec GOOD "$@"`, ""},
}

// Runtimes makes ill-behaved OCI runtimes of a good one, one for each verb and fault.
func Runtimes(t testing.TB, good string) []IllBehaved {
	return illBehaved(t, good, false, "create", "start", "kill", "delete", "state")
}

// Shims makes ill-behaved shims of a good one.
func Shims(t testing.TB, good string) []IllBehaved {
	return illBehaved(t, good, true, "start", "delete")
}

// brief are the ones that a quick run takes.
var brief = []string{"create-fails", "create-hangs", "create-nothing", "kill-fails", "delete-fails", "all-fails", "shim-start-fails", "shim-all-fails"}

func illBehaved(t testing.TB, good string, shim bool, verbs ...string) (all []IllBehaved) {
	t.Helper()
	dir := Dir(t)
	for _, verb := range append(verbs, "all") {
		for _, f := range faults {
			b := IllBehaved{Name: verb + "-" + f.how, Shim: shim, Verb: verb, How: f.how}
			if shim {
				b.Name = "shim-" + b.Name
			}
			if !Matrix() && !slices.Contains(brief, b.Name) {
				continue
			}
			pattern := verb
			if verb == "all" {
				pattern = strings.Join(verbs, "|")
			}
			if verb == "create" || verb == "all" || shim && verb == "start" {
				b.Says = strings.ReplaceAll(f.says, "VERB", verbs[0])
			}
			b.Path = filepath.Join(dir, b.Name)
			if shim { // shims are named in a certain way
				b.Path = filepath.Join(dir, fmt.Sprintf("containerd-shim-%s%s-v2", verb, f.how))
			}
			// What the kernel knows of the script is its interpreter.
			action := strings.NewReplacer("VERB", "$a", "GOOD", good).Replace(f.script)
			script := fmt.Sprintf("#!/bin/sh\nfor a; do case $a in %s) %s;; esac; done\nexec %s \"$@\"\n", pattern, action, good)
			if err := linux.WriteProgram(b.Path, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
		}
	}
	return all
}

// FailsTwice makes an OCI runtime of a good one that fails the first two calls of verb.
func FailsTwice(t testing.TB, good, verb string) (path string) {
	t.Helper()
	dir := Dir(t)
	path = filepath.Join(dir, verb+"-fails-twice")
	script := fmt.Sprintf(`#!/bin/sh
for a; do
	case $a in %s)
		for n in 1 2; do mkdir %s/$n 2>/dev/null && { echo "$a is broken" >&2; exit 1; }; done ;;
	esac
done
exec %s "$@"
`, verb, dir, good)
	if err := linux.WriteProgram(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// hangTimeout is how long a caller waits for a create that hangs.
const hangTimeout = 3 * time.Second

// Misbehave runs a container on an ill-behaved runtime or shim. Either it runs, and can
// be ended and removed, or its create has failed for the true reason. The caller checks
// that nothing is left.
func Misbehave(t *testing.T, b executor.Backend, h *Host, i IllBehaved, w executor.Workload) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	creating := ctx
	if i.How == "hangs" {
		var cancel context.CancelFunc
		creating, cancel = context.WithTimeout(ctx, hangTimeout)
		defer cancel()
	}
	_, err := b.Create(creating, w)
	if errors.Is(err, executor.OutcomeUnknown) && i.How == "hangs" && i.Verb == "start" {
		// It may still start. Whoever does not want that removes it.
		if err := executor.Destroy(ctx, b, w.Ref); err != nil {
			t.Errorf("destroy: %v", err)
		}
		return
	}
	if err != nil {
		switch said := err.Error(); {
		case !strings.Contains(said, i.Says):
			t.Errorf("create: got %v, want %q in it", err, i.Says)
		case strings.Contains(said, "stay up"), executor.CodeOf(err) == executor.OutcomeUnknown:
			t.Errorf("create: got %s: %v", executor.CodeOf(err), err)
		}
		if list, err := b.List(ctx); err != nil || len(list) > 0 {
			t.Errorf("list after a create that failed: got %+v, %v", list, err)
		}
		return
	}
	if i.Says != "" {
		t.Errorf("create succeeded, want an error with %q", i.Says)
	}
	// It may have ended by itself.
	if err := b.Signal(ctx, w.Ref, syscall.SIGKILL); err != nil && executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("kill: got %s: %v", executor.CodeOf(err), err)
	}
	h.WaitReleased(t, w.Ref)
	if err := b.Delete(ctx, w.Ref); err != nil {
		t.Errorf("delete: %v", err)
	}
	if list, err := b.List(ctx); err != nil || len(list) > 0 {
		t.Errorf("list after the removal: got %+v, %v", list, err)
	}
}
