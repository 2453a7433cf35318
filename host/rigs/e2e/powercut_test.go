package e2e

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/cgroup"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/disktest"
	"github.com/davit-run/davit/host/rigs/gobuild"
	"github.com/davit-run/davit/host/rigs/overlay"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// TestPowerCuts cuts the power of the disk that a host keeps its state on, at
// random moments under load, and looks for all that was acknowledged in what has
// survived. A host that is killed shows nothing of this: what it did not sync the
// kernel still writes. DAVIT_POWER_CUTS says how often.
func TestPowerCuts(t *testing.T) {
	p := newPowered(t)
	for cut := range roundsOf(t, "DAVIT_POWER_CUTS", 4) {
		if lost := p.round(); len(lost) > 0 {
			t.Fatalf("cut %d: what was acknowledged is lost:\n  %s", cut, strings.Join(lost, "\n  "))
		}
	}
	t.Logf("%s", &p.known)
}

// The same must find a host that acknowledges before it has synced.
func TestPowerCutsFindAMissingSync(t *testing.T) {
	if os.Getenv("DAVIT_POWER_CUTS") == "" {
		t.Skip("builds a host with a mistake; set DAVIT_POWER_CUTS")
	}
	p := newPowered(t, overlay.Unsynced)
	for cut := range 20 {
		if lost := p.round(); len(lost) > 0 {
			t.Logf("found by cut %d: %s", cut, lost[0])
			return
		}
	}
	t.Error("20 cuts did not find that nothing is synced")
}

// powered is a host on a disk of its own.
type powered struct {
	t      *testing.T
	dir    string
	davit  string // the program
	disk   *disktest.Block
	rootfs string
	known  acknowledged
}

// acknowledged is what a host has said to be so.
type acknowledged struct {
	mu         sync.Mutex
	containers map[string]bool // by id; false once a removal was begun
	removed    map[string]bool
	exits      map[string]int // codes as users saw them
	events     map[uint64]api.Event
	answered   map[string]int // codes as the executor was answered
	fellBack   int
	cut        bool // what is said from now on no machine without power could have said
}

func (a *acknowledged) String() string {
	return fmt.Sprintf("%d containers, %d removals, %d exits reported to users and %d answered to executors, %d events; %d times the last commit was torn", len(a.containers), len(a.removed), len(a.exits), len(a.answered), len(a.events), a.fellBack)
}

func (a *acknowledged) note(fn func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fn()
}

// acknowledge notes what the host has said. While a file system is being shut
// down, ext4 takes a sync that it interrupts for done.
func (a *acknowledged) acknowledge(fn func()) {
	a.note(func() {
		if !a.cut {
			fn()
		}
	})
}

// newPowered makes the disk of a host, which is built with a bug if one is named.
func newPowered(t *testing.T, bugs ...string) *powered {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	davit := filepath.Join(bin, "davit")
	for _, bug := range bugs {
		changed, err := overlay.WithPatch("../../..", filepath.Join(dir, "overlay"), bug)
		if err != nil {
			t.Fatal(err)
		}
		davit = filepath.Join(dir, "davit")
		build := exec.Command("go", "build", "-overlay="+changed, "-o", dir+"/", "./host/cmd/davit", "./host/cmd/davit-host")
		build.Dir = "../../.."
		build.Env = append(os.Environ(), gobuild.Flags()...)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	p := &powered{t: t, dir: dir, davit: davit, rootfs: t.TempDir(), known: acknowledged{
		containers: map[string]bool{}, removed: map[string]bool{}, exits: map[string]int{}, events: map[uint64]api.Event{}, answered: map[string]int{},
	}}
	config := fmt.Sprintf("state_dir = \"state\"\nrun_dir = \"run\"\nexecutor_dirs = [%q]\ndefault_backend = \"main\"\nbackend \"main\" {\n  executor = \"memory\"\n  config {\n    answered = %q\n  }\n}\n", bin, p.answers())
	if err := os.WriteFile(filepath.Join(dir, "davit.hcl"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if p.disk, err = disktest.MountBlock(filepath.Join(dir, "state"), filepath.Join(dir, "image"), 64<<20); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.unplug()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *powered) answers() string { return filepath.Join(p.dir, "answered") }

// round lets a host work for a while, cuts the power, and returns what is lost.
func (p *powered) round() []string {
	t := p.t
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	serve := exec.Command(p.davit, "serve", "--config", filepath.Join(p.dir, "davit.hcl"))
	serve.Stdout, serve.Stderr = log, log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = serve.Process.Kill()
		_ = serve.Wait()
	}()
	client := api.NewClient(filepath.Join(p.dir, "run/davit.sock"))
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var pid int
	if !wait.Holds(func() bool {
		all, err := client.Backends(ctx)
		if err == nil && all[0].State == "ready" {
			pid = all[0].PID
		}
		return pid != 0
	}) {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("the host is not ready\n%s", text)
	}
	defer removeCgroups(pid)() // a machine without power has none
	var load sync.WaitGroup
	load.Go(func() { p.follow(ctx, client) })
	for range 6 {
		load.Go(func() { p.work(ctx, client) })
	}
	time.Sleep(time.Duration(20+rand.IntN(400)) * time.Millisecond)

	p.known.note(func() {
		p.readAnswers()
		p.known.cut = true
	})
	if err := p.disk.Cut(); err != nil {
		t.Fatal(err)
	}
	_ = serve.Process.Kill()
	_ = syscall.Kill(pid, syscall.SIGKILL)
	cancel()
	load.Wait()
	p.unplug()
	if err := p.disk.Mount(); err != nil {
		t.Fatal(err)
	}
	return p.check()
}

// removeCgroups returns a function that removes the cgroups that an executor is in now, once
// it has ended.
func removeCgroups(pid int) func() {
	paths, _ := linux.CgroupsOf(pid)
	return func() {
		for _, path := range paths {
			if c, err := cgroup.At(path); err == nil && strings.HasPrefix(filepath.Base(path), "executor.") {
				wait.Holds(func() bool { return syscall.Kill(pid, 0) != nil })
				c.Remove()
			}
		}
	}
}

// unplug ends all that still uses the disk, and unmounts it.
func (p *powered) unplug() {
	var err error
	var users []int
	if !wait.Holds(func() bool {
		if err = p.disk.Unmount(); err == nil {
			return true
		}
		users, _ = p.disk.Users()
		for _, pid := range users {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return false
	}) {
		p.t.Fatalf("%v; used by %v", err, users)
	}
}

// work makes containers, waits for them and removes some, until the host is gone.
func (p *powered) work(ctx context.Context, client *api.Client) {
	for ctx.Err() == nil {
		code := rand.IntN(256)
		c, err := client.Create(ctx, api.ContainerOptions{Rootfs: p.rootfs, Process: ocispec.Options{Args: []string{"exit", fmt.Sprint(code)}}})
		if err != nil {
			return
		}
		p.known.acknowledge(func() { p.known.containers[c.ID] = true })
		end, err := client.Wait(ctx, c.ID)
		if err != nil {
			return
		}
		if end.Code == nil || *end.Code != code {
			p.t.Errorf("container %s: got %+v, want code %d", c.ID, end, code)
		}
		p.known.acknowledge(func() { p.known.exits[c.ID] = code })
		if rand.IntN(2) == 0 {
			continue
		}
		p.known.note(func() { p.known.containers[c.ID] = false })
		if err := client.Remove(ctx, c.ID, false); err != nil {
			return
		}
		p.known.acknowledge(func() { p.known.removed[c.ID] = true })
	}
}

// follow notes the events.
func (p *powered) follow(ctx context.Context, client *api.Client) {
	none := uint64(0)
	for e, err := range client.Events(ctx, api.EventOptions{Tail: &none, Follow: true}) {
		if err != nil {
			return
		}
		p.known.acknowledge(func() { p.known.events[e.Seq] = e })
	}
}

// check opens the state that has survived, before any executor can report to the host
// anything again, and returns what is missing of what was acknowledged.
func (p *powered) check() (lost []string) {
	t := p.t
	s, err := store.Open(filepath.Join(p.dir, "state/davit.db"), store.Options{})
	if err != nil {
		return []string{err.Error()}
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	say := func(format string, args ...any) { lost = append(lost, fmt.Sprintf(format, args...)) }
	damage := s.Info().Damage
	if damage != nil {
		if !damage.Older {
			say("%v", damage)
		}
		p.known.fellBack++
		_ = os.Remove(damage.Kept)
	}
	p.known.cut = false
	_ = os.Remove(p.answers()) // what was added since the cut counts no more
	err = s.View(func(tx *store.Tx) error {
		for id, kept := range p.known.containers {
			if _, err := tx.Container(id); err != nil && kept {
				say("container: %v", err)
			}
		}
		for id := range p.known.removed {
			if _, err := tx.Container(id); err == nil {
				say("container %s is there again", id)
			}
		}
		for _, known := range []map[string]int{p.known.exits, p.known.answered} {
			for id, code := range known {
				exit, err := tx.Exit(executor.Ref{ID: id, Attempt: 1})
				switch {
				case err != nil && !p.known.containers[id]: // may have been removed
				case err != nil:
					say("exit: %v", err)
				case exit.Code == nil && code >= 0 || exit.Code != nil && *exit.Code != code:
					say("exit of %s is %+v, and was %d", id, exit, code)
				}
			}
		}
		return p.checkEvents(tx, damage, say)
	})
	if err != nil {
		say("%v", err)
	}
	return lost
}

// readAnswers reads for which exits the executor was answered.
func (p *powered) readAnswers() {
	f, err := os.Open(p.answers())
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var id string
		var code int
		if _, err := fmt.Sscanf(strings.Replace(lines.Text(), "/1 ", " ", 1), "%s %d", &id, &code); err == nil {
			p.known.answered[id] = code
			if _, ok := p.known.containers[id]; !ok {
				p.known.containers[id] = false // nobody was notified of it
			}
		}
	}
}

// checkEvents checks that the journal has no gap, and that no sequence means
// something else than it did. One that starts anew does so above all others.
func (p *powered) checkEvents(tx *store.Tx, damage *store.Damage, say func(string, ...any)) error {
	oldest, newest, err := tx.Cursors()
	if err != nil {
		return err
	}
	list, err := tx.Events(oldest, int(newest-oldest))
	if err != nil {
		return err
	}
	for i, e := range list {
		if e.Seq != oldest+uint64(i)+1 {
			say("event %d follows %d", e.Seq, oldest+uint64(i))
		}
	}
	for seq, was := range p.known.events {
		switch {
		case seq <= oldest && damage != nil && damage.EventsLost:
			delete(p.known.events, seq)
		case seq > newest:
			say("event %d (%s) is gone; the last one is %d", seq, was.Type, newest)
		case seq > oldest:
			if is := list[seq-oldest-1]; is.Type != was.Type || is.Container != was.Container {
				say("event %d is %s of %s, and was %s of %s", seq, is.Type, is.Container, was.Type, was.Container)
			}
		}
	}
	return nil
}
