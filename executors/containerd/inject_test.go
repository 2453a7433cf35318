package containerd

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

func TestFailureAfterCreateLeavesNothing(t *testing.T) {
	everyRuntime(t, func(t *testing.T, f *fixture, runtime string) {
		// The step between create and start fails: its file cannot be written.
		ref := first("unmarked")
		if err := os.MkdirAll(f.b.marks.path(f.b.owner.ContainerID(ref.ID)), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := f.b.Create(t.Context(), f.workload(ref, runtime, "echo ran"))
		if executor.CodeOf(err) != executor.Internal {
			t.Errorf("got %v", err)
		}
		if list, err := f.b.List(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("list: got %+v, %v", list, err)
		}
		if got := f.output(ref, "out"); got != "" {
			t.Errorf("it ran: %q", got)
		}
		// The same attempt can be created after all.
		f.run(ref, runtime, "echo ran; exit 2")
		if exit, _ := f.host.WaitReleased(t, ref); *exit.Code != 2 {
			t.Errorf("got %+v", exit)
		}
	})
}

// TestDaemonKilledWhileCreating kills containerd at every few milliseconds of a
// Create. The call must give a container that was started once.
func TestDaemonKilledWhileCreating(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		d := startDaemon(t, version)
		f := on(t, d)
		for after := time.Duration(0); after < 90*time.Millisecond; after += 9 * time.Millisecond {
			ref := first("kill" + strings.ReplaceAll(after.String(), ".", "-"))
			w := f.workload(ref, "", "echo started; exit 4")
			var wg sync.WaitGroup
			wg.Go(func() {
				time.Sleep(after)
				d.Kill()
				d.Start()
			})
			_, err := f.b.Create(t.Context(), w)
			wg.Wait()
			if err != nil {
				t.Errorf("killed after %v: %v", after, err)
				continue
			}
			exit, _ := f.host.WaitReleased(t, ref)
			if exit.Source == executor.Lost || *exit.Code != 4 {
				t.Errorf("killed after %v: got %+v", after, exit)
			}
			if got := f.output(ref, "out"); got != "started\n" {
				t.Errorf("killed after %v: output is %q", after, got)
			}
		}
	})
}

// halfMake does the first steps of a create, as an executor does that is killed
// after them.
func (f *fixture) halfMake(w executor.Workload, steps int) {
	f.t.Helper()
	p, err := f.b.plan(w)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.b.makeRecord(f.t.Context(), p); err != nil {
		f.t.Fatal(err)
	}
	pid := 0
	if steps > 1 {
		if pid, err = f.b.makeTask(f.t.Context(), p); err != nil {
			f.t.Fatal(err)
		}
	}
	if steps < 3 { // as runc's init does, which is left alone
		words(f.t, p.stdio.Stderr, "writing syncT \"procHooks\": write pipe: broken pipe\n")
	}
	if steps > 2 {
		if _, err = f.b.start(f.t.Context(), p.ref, p.cid, pid, oci.InitErrors{}, p.drain); err != nil {
			f.t.Fatal(err)
		}
	}
}

// TestHalfMadeContainers ends the executor between any two calls to containerd
// that a Create makes, and then goes on in each way that a host may.
func TestHalfMadeContainers(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		f := on(t, startDaemon(t, version))
		for _, steps := range []int{1, 2, 3} {
			for _, again := range []string{"create", "restore", "newer"} {
				ref := first(again + string(rune('0'+steps)))
				w := f.workload(ref, "", "echo started; exit 4")
				words(t, w.Stdio.Stderr.Path, "from before\n")
				f.halfMake(w, steps)
				f.crash()
				f.open()
				switch again {
				case "create":
					f.run(ref, "", "echo started; exit 4")
				case "restore":
					_, err := f.b.Restore(t.Context(), ref, executor.Stdio{})
					if got := f.output(ref, "err"); got != "from before\n" {
						t.Errorf("restore after step %d: stderr is %q", steps, got)
					}
					if steps < 3 { // its start was not asked for
						if executor.CodeOf(err) != executor.NotFound {
							t.Errorf("restore after step %d: got %v", steps, err)
						}
						continue
					}
					if err != nil {
						t.Errorf("restore after step %d: got %v", steps, err)
						continue
					}
				case "newer":
					old := ref
					ref.Attempt = 2
					_, err := f.b.Create(t.Context(), f.workload(ref, "", "echo started; exit 4"))
					if steps == 3 && executor.CodeOf(err) == executor.AlreadyExists {
						continue // it had not ended yet
					}
					if err != nil {
						t.Errorf("newer attempt after step %d of %s: %v", steps, old, err)
						continue
					}
				}
				if exit, _ := f.host.WaitReleased(t, ref); exit.Source == executor.Lost || *exit.Code != 4 {
					t.Errorf("%s after step %d: got %+v", again, steps, exit)
				}
				if got := f.output(ref, "out"); got != "started\n" {
					t.Errorf("%s after step %d: output is %q", again, steps, got)
				}
				if got := f.output(first(ref.ID), "err"); got != "from before\n" {
					t.Errorf("%s after step %d: stderr is %q", again, steps, got)
				}
			}
		}
	})
}

// words appends text to a file.
func words(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(text)
		_ = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
