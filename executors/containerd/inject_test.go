package containerd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

func testFailureAfterCreateLeavesNothing(t *testing.T, f *fixture, runtime string) {
	// The step between create and start fails: its file cannot be written.
	ref := first("unmarked")
	if err := os.MkdirAll(f.b.driver.marks.path(f.b.driver.owner.ContainerID(ref.ID)), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := f.b.Create(t.Context(), f.workload(ref, runtime, "echo ran"))
	if executor.CodeOf(err) != executor.Internal {
		t.Errorf("got %v", err)
	}
	if list, err := f.b.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list: got %+v, %v", list, err)
	}
	if got := f.streams.Output(ref, "out"); got != "" {
		t.Errorf("it ran: %q", got)
	}
	// The same attempt can be created after all.
	f.run(ref, runtime, "echo ran; exit 2")
	if exit, _ := f.host.WaitReleased(t, ref); *exit.Code != 2 {
		t.Errorf("got %+v", exit)
	}
}

// TestDaemonKilledWhileCreating kills containerd at every few milliseconds of a
// Create, of which a quick run tests a third. The container must have been started
// once when the call returns.
func TestDaemonKilledWhileCreating(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		d := startDaemon(t, version)
		f := on(t, d)
		step := 27 * time.Millisecond
		if realtest.Matrix() {
			step /= 3
		}
		for after := time.Duration(0); after < 90*time.Millisecond; after += step {
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
			if got := f.streams.Output(ref, "out"); got != "started\n" {
				t.Errorf("killed after %v: output is %q", after, got)
			}
		}
	})
}

// halfMake does the first steps of a create, as an executor does that is killed
// after them.
func (f *fixture) halfMake(w executor.Workload, steps int) {
	f.t.Helper()
	p, err := f.b.driver.plan(w)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.b.driver.createRecord(f.t.Context(), p); err != nil {
		f.t.Fatal(err)
	}
	pid := 0
	if steps > 1 {
		if pid, err = f.b.driver.createTask(f.t.Context(), p); err != nil {
			f.t.Fatal(err)
		}
	}
	if steps < 3 { // as runc's init does, which is left alone
		appendText(f.t, p.stdio.Stderr, "writing syncT \"procHooks\": write pipe: broken pipe\n")
	}
	if steps > 2 {
		if _, _, err = f.b.driver.start(f.t.Context(), p.ref, p.cid, pid, oci.InitErrors{}, p.drain); err != nil {
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
				appendText(t, w.Stdio.Stderr.Path, "from before\n")
				f.halfMake(w, steps)
				f.crash()
				f.open()
				switch again {
				case "create":
					f.run(ref, "", "echo started; exit 4")
				case "restore":
					_, err := f.b.Restore(t.Context(), ref, executor.Stdio{})
					if got := f.streams.Output(ref, "err"); got != "from before\n" {
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
				if got := f.streams.Output(ref, "out"); got != "started\n" {
					t.Errorf("%s after step %d: output is %q", again, steps, got)
				}
				if got := f.streams.Output(first(ref.ID), "err"); got != "from before\n" {
					t.Errorf("%s after step %d: stderr is %q", again, steps, got)
				}
			}
		}
	})
}

// appendText appends text to a file.
func appendText(t *testing.T, path, text string) {
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

// TestLateOutputOfInitIsRemoved lets a shim, whose create was cut off, carry output
// of runc's init to stderr while it is waited for.
func TestLateOutputOfInitIsRemoved(t *testing.T) {
	t.Parallel()
	f := on(t, startDaemon(t, realtest.V16))
	ref := first("late")
	w := f.workload(ref, "", "echo started; exit 4")
	f.halfMake(w, 1)
	cid := f.b.driver.owner.ContainerID(ref.ID)
	sum := sha256.Sum256([]byte(filepath.Join(f.b.driver.conn.address, f.b.driver.config.Namespace, cid)))
	if err := os.MkdirAll(shimSockets, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shimSockets, hex.EncodeToString(sum[:])), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shim := exec.Command("/bin/sh", "-c", "sleep 0.2; echo late words >>"+w.Stdio.Stderr.Path, "-id", cid)
	shim.Args[0] = "containerd-shim-fake"
	if err := shim.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- shim.Wait() }()

	if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("restore: got %v, want not found", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the shim ended with %v", err)
	}
	if got := f.streams.Output(ref, "err"); got != "" {
		t.Errorf("stderr is %q", got)
	}
}

// TestOrphanOfTheRuntimeIsRemoved has the runtime know a container whose shim died
// before containerd knew a task, and removes the record by each way that there is.
func TestOrphanOfTheRuntimeIsRemoved(t *testing.T) {
	t.Parallel()
	f := on(t, startDaemon(t, realtest.V16))
	for name, remove := range map[string]func(executor.Ref) error{
		"restore": func(ref executor.Ref) error {
			_, err := f.b.Restore(t.Context(), ref, executor.Stdio{})
			if executor.CodeOf(err) == executor.NotFound {
				return nil
			}
			return err
		},
		"delete": func(ref executor.Ref) error { return executor.Destroy(t.Context(), f.b, ref) },
	} {
		ref := first(name)
		w := f.workload(ref, "", "echo started; exit 4")
		f.halfMake(w, 1)
		r, err := f.b.driver.record(t.Context(), ref.ID)
		if err != nil {
			t.Fatal(err)
		}
		bundle := t.TempDir()
		if err := os.WriteFile(filepath.Join(bundle, "config.json"), w.Spec, 0o600); err != nil {
			t.Fatal(err)
		}
		// Its streams are those of the container, which nobody would close.
		if err := exec.Command("runc", "--root", r.root, "create", "--bundle", bundle, r.cid).Run(); err != nil {
			t.Fatalf("runc create: %v", err)
		}
		if err := remove(ref); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(r.root, r.cid)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v, want that runc does not know the container any more", name, err)
		}
	}
}
