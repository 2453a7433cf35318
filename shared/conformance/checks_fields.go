package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(21, transport.MethodCreate.Name,
	Check{Name: "create-fields", run: checkCreateFields,
		Duty: "Create refuses, before it starts anything, a spec that asks for what the workload would not have, such as a volume.",
		Hint: "Call Check of honoured.Fields, package shared/honoured, in Prepare, with the fields that are honoured: a limit or a volume that is silently missing does harm."},
)

// asked is something of a spec that a workload notices.
type asked struct {
	what  string
	steps []Step
	// ask changes the spec, and has reports whether the workload, which has ended, had it.
	ask func(spec map[string]any)
	has func() bool
}

// checkCreateFields asks for a few things of which nothing else of the suite depends. Who
// refuses what it does not know refuses them all.
func checkCreateFields(t *trial) {
	s := t.open()
	const hostName = "conformance-name"
	volume, w := t.subdir("volume"), (*workload)(nil)
	t.must(os.Chmod(volume, 0o777), "making a directory for all")
	for _, a := range []asked{
		{
			what: "the host name " + hostName, steps: []Step{{Action: Hostname, Stream: "stdout"}},
			ask: func(spec map[string]any) { spec["hostname"] = hostName },
			has: func() bool {
				got := strings.TrimSpace(w.read(w.stdout))
				return got == "" || got == hostName // programs of an older suite print nothing
			},
		},
		{
			what: "a volume", steps: []Step{{Action: Mark, File: "volume/seen", Text: "x"}},
			ask: func(spec map[string]any) {
				list, _ := spec["mounts"].([]any)
				spec["mounts"] = append(list, mount{filepath.Join(seenAt(list, w.scratch), "volume"), "bind", volume, []string{"rbind", "rw"}})
			},
			has: func() bool { _, err := os.Stat(filepath.Join(volume, "seen")); return err == nil },
		},
	} {
		w = t.workload(s, a.steps...)
		t.must(os.Mkdir(filepath.Join(w.scratch, "volume"), 0o777), "making a mount point")
		var spec map[string]any
		t.must(json.Unmarshal(w.Spec, &spec), "reading the spec")
		a.ask(spec)
		changed, err := json.Marshal(spec)
		t.must(err, "making a spec")
		w.Spec = changed
		_, err = s.Create(t.ctx, w.Workload)
		switch executor.CodeOf(err) {
		case executor.Unsupported, executor.Invalid, executor.FailedPrecondition:
			s.wantUnknown(w.Ref, "after Create refused "+a.what)
			continue
		}
		t.must(err, "Create of %s, whose spec asks for %s", w.Ref, a.what)
		s.exited(w)
		s.released(w)
		if !a.has() {
			t.errorf("the spec asks for %s, which Create has not refused, and the workload does not have it", a.what)
		}
	}
}

// seenAt returns where a workload sees its scratch directory: where it is mounted, or where it
// is.
func seenAt(mounts []any, scratch string) string {
	for _, v := range mounts {
		if m, ok := v.(map[string]any); ok && m["source"] == scratch {
			if at, ok := m["destination"].(string); ok {
				return at
			}
		}
	}
	return scratch
}
