package storm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// peer is a program that runs containers, for a comparison of what is lost.
type peer interface {
	name() string
	// start runs a workload detached, with its output kept as users of the program
	// do it who want to keep everything.
	start(ctx context.Context, l *life) error
	// manager, daemon and shim return the processes to kill, nil for one that there is
	// not, or not any more. What the peer starts again by itself, or its users would,
	// is started by revive.
	manager() match
	daemon() match
	shim(l *life) match
	revive(ctx context.Context) error
	// end waits for the end and returns what the user sees of it.
	end(ctx context.Context, l *life) (string, error)
	// logs returns the output.
	logs(ctx context.Context, l *life, read func(io.Reader) error) error
	remove(ctx context.Context, l *life)
	close()
}

// match recognizes a process.
type match func(process) bool

// A trial is one thing that is done to each peer.
type trial struct {
	name string
	// lines at full speed, 0 for a workload that ends when it gets a signal.
	lines uint64
	do    func(ctx context.Context, p peer, l *life) error
}

var trials = []trial{
	{"manager killed 10 times at full log rate", 300_000, func(ctx context.Context, p peer, l *life) error {
		return killOften(ctx, p, l, p.manager, 10)
	}},
	{"containerd killed 10 times at full log rate", 300_000, func(ctx context.Context, p peer, l *life) error {
		return killOften(ctx, p, l, p.daemon, 10)
	}},
	{"exit while the manager is down", 0, func(ctx context.Context, p peer, l *life) error {
		return exitWithout(ctx, p, l, p.manager)
	}},
	{"exit while containerd is down", 0, func(ctx context.Context, p peer, l *life) error {
		return exitWithout(ctx, p, l, p.daemon)
	}},
	{"exit while both are down", 0, func(ctx context.Context, p peer, l *life) error {
		return exitWithout(ctx, p, l, p.manager, p.daemon)
	}},
	{"shim killed", 0, func(ctx context.Context, p peer, l *life) error {
		return killOne(ctx, p.shim(l))
	}},
}

// errNone says that a peer has no such process.
var errNone = errors.New("–")

// killOne kills a process and waits until it is gone. One that was just started may
// have to be waited for.
func killOne(ctx context.Context, is match) error {
	if is == nil {
		return errNone
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		p, ok := only(is)
		if ok && signalTo(p, is, syscall.SIGKILL) {
			for startTime(p.pid) != "" && pause(ctx, time.Millisecond) {
			}
			return nil
		}
		if !pause(ctx, 10*time.Millisecond) {
			return errors.New("there was nothing to kill")
		}
	}
}

// killOften kills a process again and again, spread over the lines of a workload. One
// that nobody starts again is killed once.
func killOften(ctx context.Context, p peer, l *life, which func() match, n int) error {
	for i := range n {
		for out, _ := l.acked(); out < l.lines*uint64(i+1)/uint64(n+1); out, _ = l.acked() {
			if !pause(ctx, time.Millisecond) {
				return ctx.Err()
			}
		}
		err := killOne(ctx, which())
		if i > 0 && errors.Is(err, errNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.revive(ctx); err != nil {
			return err
		}
	}
	return nil
}

// exitWithout lets a workload end while processes are dead.
func exitWithout(ctx context.Context, p peer, l *life, which ...func() match) error {
	for _, process := range which {
		if err := killOne(ctx, process()); err != nil {
			return err
		}
	}
	if err := l.stop(); err != nil {
		return err
	}
	pause(ctx, 300*time.Millisecond)
	return p.revive(ctx)
}

// Peers compares davit with what else is installed. Nothing of it is a violation.
func Peers(ctx context.Context, opts Options) error {
	var err error
	if opts.programs, err = newPrograms(opts.Module); err != nil {
		return err
	}
	defer func() { _ = opts.programs.remove() }()
	peers, err := opts.peers(ctx)
	for _, p := range peers {
		defer p.close()
	}
	if err != nil {
		return err
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 1, ' ', 0)
	fmt.Fprint(w, "|\t")
	for _, p := range peers {
		fmt.Fprintf(w, "| %s\t", p.name())
	}
	fmt.Fprintf(w, "|\n| ---\t%s|\n", strings.Repeat("| ---\t", len(peers)))
	n := 0
	for _, t := range trials {
		fmt.Fprintf(w, "| %s\t", t.name)
		for _, p := range peers {
			n++
			came := opts.try(ctx, p, t, n)
			fmt.Fprintf(opts.Out, "%s; %s: %s\n", p.name(), t.name, came)
			fmt.Fprintf(w, "| %s\t", came)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		fmt.Fprintln(w, "|")
	}
	_ = w.Flush()
	fmt.Fprintf(opts.Out, "\n%s", &text)
	return nil
}

// try does a trial and says in a few words what came of it.
func (opts Options) try(ctx context.Context, p peer, t trial, n int) string {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "dvp")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	l := &life{n: n, code: 42, dir: dir, lines: t.lines}
	if t.lines == 0 {
		l.style, l.rate = steered, 1000
	}
	if err := os.WriteFile(filepath.Join(dir, "acked"), make([]byte, 16), 0o644); err != nil {
		return err.Error()
	}
	if err := p.start(ctx, l); err != nil {
		return "not started: " + err.Error()
	}
	defer p.remove(context.WithoutCancel(ctx), l)
	for out, _ := l.acked(); out < 100 && pause(ctx, 5*time.Millisecond); out, _ = l.acked() {
	}
	did := t.do(ctx, p, l)
	if errors.Is(did, errNone) {
		_ = killOne(context.WithoutCancel(ctx), func(p process) bool { return len(p.args) > 2 && p.args[2] == dir })
		_, _ = p.end(ctx, l)
		return did.Error()
	}
	end, err := p.end(ctx, l)
	if err != nil {
		end = "exit never reported"
		_ = killOne(context.WithoutCancel(ctx), func(p process) bool { return len(p.args) > 2 && p.args[2] == dir })
	}
	if end == fmt.Sprint(l.code) {
		end = "exit right"
	} else if err == nil {
		end = "exit reported as " + end
	}
	if did != nil {
		end += " (" + did.Error() + ")"
	}
	acked, _ := l.acked()
	var got tally
	ctx = context.WithoutCancel(ctx)
	if err := p.logs(ctx, l, func(r io.Reader) (err error) { got, err = read(r, 'o'); return err }); err != nil {
		return end + ", logs: " + err.Error()
	}
	got.missing += max(acked, got.last) - got.last
	return fmt.Sprintf("%s; %d of %d lines lost, %d torn, %d twice", end, got.missing, acked, got.torn, got.doubled)
}

// command returns the workload's command line.
func (l *life) command() []string {
	args := []string{"/bin/storm-workload", "--token", l.dir, "--lines", fmt.Sprint(l.lines), "--rate", fmt.Sprint(l.rate), "--code", fmt.Sprint(l.code), "--quiet"}
	if l.style == steered {
		args = append(args, "--steered")
	}
	return args
}

// run runs a program and returns its output.
func run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %.300s", filepath.Base(name), err, out)
	}
	return strings.TrimSpace(string(out)), err
}

// peers starts what is compared.
func (opts Options) peers(ctx context.Context) (all []peer, err error) {
	targets := opts.linux()
	bin, err := opts.programs.build(ctx, targets, false)
	if err != nil {
		return nil, err
	}
	site, err := newSite(ctx, bin, targets, row{}, newReport(opts.Out))
	if site != nil {
		for i, t := range site.targets {
			title := "davit, containerd " + version(t.daemon)
			if t.daemon == "" {
				title = "davit, shim executor"
			}
			all = append(all, &davitPeer{site: site, target: t, title: title, owner: i == 0})
		}
	}
	if err != nil {
		return all, err
	}
	ctr, err := newCtrPeer(ctx, opts.Debian, site.rootfs)
	if ctr != nil {
		all = append(all, ctr)
	}
	if err != nil {
		return all, err
	}
	docker, err := newDockerPeer(ctx, opts.Debian, site.rootfs)
	if docker != nil {
		all = append(all, docker)
	}
	return all, err
}
