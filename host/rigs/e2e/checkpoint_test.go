package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
)

// freezer is an OCI runtime that makes and restores checkpoints without CRIU, which few
// machines have. A checkpoint of it is a marker, with the log of CRIU's beside it, and what it
// restores begins anew: it shows how checkpoints are made, named, lost and used, and nothing
// of what CRIU does. In DIR it waits while there is a file hold, refuses if there is a file
// refuse, and notes from what it has restored in a file restored.
const freezer = `#!/bin/sh
for id; do :; done
verb= global= image= work= leave= bundle= pidfile= last=
for a; do
  case $last in
    --image-path) image=$a ;; --work-path) work=$a ;; --bundle) bundle=$a ;; --pid-file) pidfile=$a ;;
  esac
  case $a in
    checkpoint|restore) [ "$verb" ] || verb=$a ;;
    --leave-running) leave=1 ;;
  esac
  [ "$verb" ] || global="$global $a"
  last=$a
done
case $verb in
checkpoint)
  if [ -e DIR/refuse ]; then
    printf '(00.001) Version: 3.17\n(00.003) Error (criu/vdso.c:657): vdso: Unexpected rt vDSO area bounds\n(00.004) Error (criu/cr-dump.c:1): it follows\n' >"$work/dump.log"
    echo "criu failed: type NOTIFY errno 0" >&2
    exit 1
  fi
  echo "$id" >"$image/marker"
  touch DIR/holding
  while [ -e DIR/hold ]; do sleep 0.01; done
  rm DIR/holding
  echo '(00.002) Dumping finished successfully' >"$work/dump.log"
  [ "$leave" ] || RUNC $global kill "$id" KILL ;;
restore)
  if [ "$(cat "$image/marker")" != "$id" ]; then
    mkdir -p "$work"
    echo '(00.001) Error (criu/image.c:1): it is another one' >"$work/restore.log"
    exit 1
  fi
  echo "$image" >>DIR/restored
  exec RUNC $global run --detach --no-subreaper --bundle "$bundle" --pid-file "$pidfile" "$id" ;;
*) exec RUNC "$@" ;;
esac
`

// freezerSite is a host with the freezer on a shim and on a daemon, and the directory DIR.
func freezerSite(t *testing.T) (s *site, dir string) {
	t.Helper()
	need(t, debian)
	dir = t.TempDir()
	real, err := exec.LookPath("runc")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "freezer")
	text := strings.NewReplacer("DIR", dir, "RUNC", real).Replace(freezer)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	runtime := fmt.Sprintf("  runtime \"freezer\" {\n    path = %q\n  }\n", path)
	return newSite(t, "default_backend = \"bare\"\nbackend \"bare\" {\n  executor = \"shim\"\n"+runtime+"}\n",
		containerdBackend("daemon", debian, runtime)), dir
}

// checkpointers are the backends that offer checkpoints, one of every such executor.
var checkpointers = []string{"bare", "daemon"}

// begun is a script that writes when it begins, and does not end.
const begun = "echo begun; exec sleep 1000"

func (s *site) checkpointsOf(id string) (names []string) {
	s.t.Helper()
	return strings.Fields(s.must("checkpoint", "ls", "-q", id))
}

// A container that was left running runs on. One that was not has ended, is not restarted by
// its policy, and goes on from the checkpoint when it is started from it.
func TestCheckpoint(t *testing.T) {
	s, dir := freezerSite(t)
	for _, b := range checkpointers {
		id := s.must("run", "-d", "--backend", b, "--runtime", "freezer", "--restart", "always", "--rootfs", rootfs, "sh", "-c", begun)
		pid := s.inspect(id).PID
		if got := s.must("checkpoint", "create", "--leave-running", id, "one"); got != "one" {
			t.Errorf("%s: create printed %q", b, got)
		}
		if c := s.inspect(id); c.State != "running" || c.PID != pid {
			t.Errorf("%s: left running, it is %s with the pid %d, and had %d", b, c.State, c.PID, pid)
		}
		if r := s.run("checkpoint", "create", id, "one"); r.code != 1 || !strings.Contains(r.stderr, "has a checkpoint one already") {
			t.Errorf("%s: the same name again: got %+v", b, r)
		}
		s.must("checkpoint", "create", id, "two")
		if c := s.inspect(id); c.State != "exited" || c.Attempt != 1 || c.Exit == nil || c.Exit.Code == nil || *c.Exit.Code != 137 || c.Exit.Source != "observed" {
			t.Errorf("%s: after its checkpoint it is %s, attempt %d, %+v", b, c.State, c.Attempt, c.Exit)
		}
		if ps := s.must("ps", "-a"); !strings.Contains(ps, "checkpointed as two") {
			t.Errorf("%s: ps shows %s", b, ps)
		}
		if got := s.checkpointsOf(id); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("%s: its checkpoints are %q", b, got)
		}
		s.must("cp", id+":/etc/passwd", filepath.Join(dir, "passwd"))
		if r := s.run("start", "--checkpoint", "three", id); r.code != 1 || !strings.Contains(r.stderr, `no checkpoint "three"; it has one, two`) {
			t.Errorf("%s: start from what is not there: got %+v", b, r)
		}
		s.must("start", "--checkpoint", "two", id)
		var c []api.Container
		s.decode(&c, "inspect", id)
		if c[0].State != api.StateRunning || c[0].Attempt != 2 || c[0].PID == 0 || c[0].RestoredFrom != "two" || c[0].Checkpointed != "" {
			t.Errorf("%s: started from its checkpoint it is %+v", b, c[0])
		}
		want := filepath.Join(s.dir, "state/containers", id, "checkpoints/two")
		if got, _ := os.ReadFile(filepath.Join(dir, "restored")); !strings.HasSuffix(string(got), want+"\n") {
			t.Errorf("%s: restored was %q, want %s", b, got, want)
		}
		s.waitFor("what was restored writes", func() bool { return s.must("logs", id) == "begun\nbegun" })
		s.must("checkpoint", "rm", id, "one", "two")
		if left, err := os.ReadDir(filepath.Dir(want)); err == nil {
			t.Errorf("%s: left are %v", b, left)
		}
		s.must("stop", "-t", "0", id)
		if exit := s.inspect(id).Exit; exit == nil || *exit.Code != 137 || exit.Output != "complete" {
			t.Errorf("%s: what was restored ended with %+v", b, exit)
		}
		s.wantEvents(id, "container.checkpointed", "container.checkpointed", "container.exited", "container.exited")
		s.must("rm", id)
	}
}

// A checkpoint that cannot be made is an error that says why, and changes nothing. So is a
// start from one that cannot be restored.
func TestCheckpointIsRefused(t *testing.T) {
	s, dir := freezerSite(t)
	touch(t, filepath.Join(dir, "refuse"))
	for _, b := range checkpointers {
		id := s.must("run", "-d", "--backend", b, "--runtime", "freezer", "--rootfs", rootfs, "sh", "-c", counter)
		const want = "CRIU cannot checkpoint it: vdso: Unexpected rt vDSO area bounds (criu/vdso.c:657)\n"
		if r := s.run("checkpoint", "create", id, "one"); r.code != 1 || !strings.HasSuffix(r.stderr, want) {
			t.Errorf("%s: got %+v, want %q", b, r, want)
		}
		s.waitCounts(id)
		s.wantNoCheckpoint(id)
		s.must("pause", id)
		if r := s.run("checkpoint", "create", id, "one"); r.code != 1 || !strings.Contains(r.stderr, "is paused") {
			t.Errorf("%s: while it is paused: got %+v", b, r)
		}
		s.must("rm", "-f", id)
		if r := s.run("checkpoint", "create", id, "one"); r.code != 1 || !strings.Contains(r.stderr, "no container") {
			t.Errorf("%s: of what is gone: got %+v", b, r)
		}
	}
	if err := os.Remove(filepath.Join(dir, "refuse")); err != nil {
		t.Fatal(err)
	}
	id := s.must("run", "-d", "--rm", "--runtime", "freezer", "--rootfs", rootfs, "sleep", "1000")
	if r := s.run("checkpoint", "create", id, "one"); r.code != 1 || !strings.Contains(r.stderr, "--leave-running") {
		t.Errorf("with --rm: got %+v", r)
	}
	if r := s.run("checkpoint", "create", "--leave-running", id, "../one"); r.code != 1 || !strings.Contains(r.stderr, `"../one" is not allowed`) {
		t.Errorf("a name with dots: got %+v", r)
	}
	for _, b := range checkpointers {
		id := s.must("run", "-d", "--backend", b, "--runtime", "freezer", "--rootfs", rootfs, "sleep", "1000")
		s.must("checkpoint", "create", id, "one")
		marker := filepath.Join(s.dir, "state/containers", id, "checkpoints/one/marker")
		if err := os.WriteFile(marker, []byte("another\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := s.run("start", "--checkpoint", "one", id); r.code != 1 || !strings.HasSuffix(r.stderr, "CRIU cannot restore it: it is another one (criu/image.c:1)\n") {
			t.Errorf("%s: got %+v", b, r)
		}
		if c := s.inspect(id); c.State != "failed" || c.Attempt != 2 {
			t.Errorf("%s: after a restore that failed it is %s, attempt %d", b, c.State, c.Attempt)
		}
		s.must("start", id) // without the checkpoint
	}
}

// wantNoCheckpoint fails the test if a container has a checkpoint, or the remains of one.
func (s *site) wantNoCheckpoint(id string) {
	s.t.Helper()
	if got := s.checkpointsOf(id); len(got) > 0 {
		s.t.Errorf("it has the checkpoints %q", got)
	}
	if dir := filepath.Join(s.dir, "state/containers", id, "checkpoints"); exists(dir) {
		left, _ := os.ReadDir(dir)
		s.t.Errorf("in %s is left %v", dir, left)
	}
}

// With runc there is a checkpoint, or a reason, and then the container runs on: without the
// program criu that this is missing, otherwise what CRIU says.
func TestCheckpointWithRunc(t *testing.T) {
	want := "CRIU cannot checkpoint it: "
	if _, err := exec.LookPath("criu"); err != nil {
		want = "the runtime needs the program criu to checkpoint a container, and there is none on its PATH; install it"
	}
	s := pauseSite(t)
	for _, b := range checkpointers {
		id := s.must("run", "-d", "--backend", b, "--rootfs", rootfs, "sh", "-c", counter)
		s.waitCounts(id)
		r := s.run("checkpoint", "create", id, "one")
		if r.code == 0 {
			s.must("start", "--checkpoint", "one", id)
			s.waitCounts(id)
			continue
		}
		t.Logf("%s: %s", b, r.stderr)
		if r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: got %+v, want %q", b, r, want)
		}
		s.waitCounts(id)
		s.wantNoCheckpoint(id)
	}
}

// A backend without the capability refuses by name, and says which ones have it.
func TestCheckpointIsRefusedByName(t *testing.T) {
	s := pauseSite(t)
	id := s.must("run", "-d", "--backend", "loose", "--rootfs", rootfs, "sleep", "1000")
	const want = "backend loose (executor process) does not offer checkpoint; these do: bare, daemon"
	if r := s.run("checkpoint", "create", id, "one"); r.code != 1 || !strings.Contains(r.stderr, want) {
		t.Errorf("got %+v, want %q", r, want)
	}
	s.wantNoCheckpoint(id)
}

// Host and executor are killed while a checkpoint is made, and when it is whole and has no
// name yet. It has its name when it is whole, and what it has ended is not restarted.
func TestCheckpointOverDeaths(t *testing.T) {
	s, dir := freezerSite(t)
	hold, holding := filepath.Join(dir, "hold"), filepath.Join(dir, "holding")
	for _, b := range checkpointers {
		id := s.must("run", "-d", "--backend", b, "--runtime", "freezer", "--restart", "always", "--rootfs", rootfs, "sh", "-c", begun)
		touch(t, hold)
		create := s.command("checkpoint", "create", id, "one")
		if err := create.Start(); err != nil {
			t.Fatal(err)
		}
		s.waitFor("the checkpoint is being made", func() bool { return exists(holding) })
		named := filepath.Join(s.dir, "state/containers", id, "checkpoints/one")
		if exists(named) {
			t.Errorf("%s: it has its name before it is whole", b)
		}
		executor := s.backend(b).PID
		s.kill()
		if err := syscall.Kill(executor, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		_ = create.Wait()
		if err := os.Remove(hold); err != nil {
			t.Fatal(err)
		}
		s.waitFor("the runtime is done", func() bool { return !exists(holding) })
		s.start()
		s.waitFor("the checkpoint is there", func() bool { return slices.Equal(s.checkpointsOf(id), []string{"one"}) })
		s.waitFor("the container has ended", func() bool { return s.inspect(id).State == "exited" })
		if !exists(filepath.Join(named, "marker")) {
			t.Errorf("%s: its files are not there", b)
		}
		if left, _ := filepath.Glob(filepath.Dir(named) + "/.*"); len(left) > 0 {
			t.Errorf("%s: left are %v", b, left)
		}
		if c := s.inspect(id); c.Attempt != 1 {
			t.Errorf("%s: it was restarted: attempt %d", b, c.Attempt)
		}
		s.must("start", "--checkpoint", "one", id)
		if st := s.inspect(id).State; st != "running" {
			t.Errorf("%s: started from its checkpoint it is %s", b, st)
		}
		s.must("rm", "-f", id)
	}
}

// What is restored has the network namespace and the address that it had.
func TestCheckpointKeepsTheNetwork(t *testing.T) {
	ownNetwork(t)
	s, _ := freezerSite(t)
	id := s.must("run", "-d", "--runtime", "freezer", "--network", api.DefaultNetwork, "--rootfs", rootfs, "sleep", "1000")
	network := func() (namespace, addresses string) {
		var c []api.Container
		s.decode(&c, "inspect", id)
		namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", c[0].PID))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(c[0].Addresses)
		return namespace, string(text)
	}
	before, address := network()
	s.must("checkpoint", "create", id, "one")
	s.must("start", "--checkpoint", "one", id)
	if after, now := network(); after != before || now != address {
		t.Errorf("it had %s with %s, and has %s with %s", before, address, after, now)
	}
	s.must("rm", "-f", id)
	s.must("network", "rm", api.DefaultNetwork)
}
