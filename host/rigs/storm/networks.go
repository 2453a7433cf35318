package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// network is the name of the network on which containers are, and insidePort the port that
// they serve there.
const (
	network    = "storm"
	insidePort = 80
	firstPort  = 8000 // of those that are published by who stays
)

// onNetwork is what is special about a container on the network.
type onNetwork struct {
	port    int // that is asked for, 0 for any
	address string
	ports   []int    // on the machine
	sees    []string // names that it always finds
	// restarted means that it ends more than once.
	restarted bool
}

// networkView is what is looked at of a container on a network.
type networkView struct {
	containerView
	Addresses []struct{ IP string }
	Ports     []struct {
		HostPort int `json:"host_port"`
	}
}

// networks makes faults while containers come to a network and go, others stay on it, and
// others yet are restarted there, until the faults of a plan have come.
func networks(counts map[string]int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		end := s.stayOnNetwork(ctx)
		if end == nil {
			return
		}
		until, calm := context.WithCancel(ctx)
		var wg sync.WaitGroup
		for i, l := range s.stays {
			if i%2 == 1 {
				wg.Go(func() { s.restartOften(ctx, until, l) })
				continue
			}
			wg.Go(func() { s.useAlways(until, l) })
			wg.Go(func() { s.askAlways(until, l, s.stays[(i+1)%len(s.stays)]) })
		}
		s.weather(ctx, counts)
		calm()
		wg.Wait()
		end()
	}
}

// networkTargets are those on which networks are stormed: how a daemon's version deals with
// them makes no difference.
func (opts Options) networkTargets() []target {
	return slices.DeleteFunc(opts.linux(), func(t target) bool { return t.name == "newest" && !opts.Full })
}

// visitNetwork has containers come to a network and go, and rules flushed, in calm weather.
func visitNetwork(ctx context.Context, s *storm) {
	end := s.stayOnNetwork(ctx)
	if end == nil {
		return
	}
	for range 2 {
		l := s.next()
		l.rate, l.lines = 1000, 20
		s.join(l)
		s.live(ctx, nil, l)
	}
	s.flushRules(ctx)
	end()
}

// stayOnNetwork makes the network, and the containers that stay on it: two on each target. end
// removes all of it, and checks that nothing is left. It is nil if there is no network.
func (s *storm) stayOnNetwork(ctx context.Context) (end func()) {
	if err := s.insist(ctx, func() error {
		return s.site.client.call(ctx, "POST", "/networks", map[string]any{"name": network}, nil)
	}); err != nil {
		s.report.bad(others, "network: %v", err)
		return nil
	}
	for _, t := range s.site.targets {
		for range 2 {
			l := s.next()
			l.target, l.runtime, l.style, l.rate, l.lines = t, t.runtimes[0], steered, 20, 0
			l.net = &onNetwork{port: firstPort + l.n}
			for _, earlier := range s.stays {
				l.net.sees = append(l.net.sees, earlier.name())
			}
			l.net.sees = append(l.net.sees, l.name())
			if s.begin(ctx, nil, l) {
				s.stays = append(s.stays, l)
			}
		}
	}
	return func() {
		s.checkNetwork(ctx, s.stays)
		for _, l := range s.stays {
			s.checkNames(l)
		}
		for _, l := range s.stays {
			s.remove(ctx, nil, l)
		}
		if err := s.insist(ctx, func() error {
			return s.site.client.call(ctx, "DELETE", "/networks/"+network, nil, nil)
		}); err != nil && ctx.Err() == nil {
			s.report.bad(leftovers, "the network cannot be removed: %v", err)
		}
		s.checkNetwork(ctx, nil)
	}
}

// join puts a container on the network if there is one.
func (s *storm) join(l *life) {
	if len(s.stays) == 0 {
		return
	}
	l.net = new(onNetwork)
	for _, other := range s.stays {
		l.net.sees = append(l.net.sees, other.name())
	}
	l.net.sees = append(l.net.sees, l.name())
}

// checkAddress learns the address of a container, and wants it to be nobody else's.
func (s *storm) checkAddress(ctx context.Context, l *life) {
	var v networkView
	if err := s.insist(ctx, func() error { return s.site.client.call(ctx, "GET", "/containers/"+l.id, nil, &v) }); err != nil {
		s.report.bad(others, "%v: %v", l, err)
		return
	}
	if len(v.Addresses) != 1 {
		s.report.bad(duplicates, "%v has the addresses %v, want one", l, v.Addresses)
		return
	}
	l.net.address = v.Addresses[0].IP
	for _, p := range v.Ports { // none if it has ended
		l.net.ports = append(l.net.ports, p.HostPort)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.addresses[l.net.address]; other != nil {
		s.report.bad(duplicates, "%v has the address %s of %v", l, l.net.address, other)
	}
	s.addresses[l.net.address] = l
}

// leave notes that a container gives its address back, and checks which names it has found, if
// all of those are still to be there.
func (s *storm) leave(l *life) {
	if !slices.Contains(s.stays, l) {
		s.checkNames(l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addresses[l.net.address] == l {
		delete(s.addresses, l.net.address)
	}
}

// checkNames wants a container to have found all names at all times.
func (s *storm) checkNames(l *life) {
	if text, err := os.ReadFile(filepath.Join(l.dir, "unnamed")); err == nil {
		s.report.bad(unnamed, "%v has missed %q in /etc/hosts", l, strings.Fields(string(text)))
	}
}

// restartOften restarts a container again and again. It keeps its address and its port, at
// which it answers.
func (s *storm) restartOften(ctx, until context.Context, l *life) {
	l.net.restarted = true
	rnd := rand.New(rand.NewPCG(s.seed, uint64(l.n)))
	for pause(until, upTo(rnd, 2*time.Second)) {
		var v networkView
		begin := time.Now()
		for time.Since(begin) < patience && ctx.Err() == nil {
			err := s.insist(ctx, func() error {
				return s.site.client.call(ctx, "POST", "/containers/"+l.id+"/restart", map[string]any{"timeout": "1s"}, nil)
			})
			if err == nil && s.site.client.call(ctx, "GET", "/containers/"+l.id, nil, &v) == nil && v.State == "running" {
				break
			}
			s.logf("restart of %v: %v, %s", l, err, v.State) // its containerd was killed, or it comes later
			pause(ctx, 50*time.Millisecond)
		}
		if ctx.Err() != nil {
			return
		}
		switch {
		case v.State != "running":
			s.report.bad(others, "%v was not restarted for %s, and is %s: %s", l, patience, v.State, v.Error)
			return
		case len(v.Addresses) != 1 || v.Addresses[0].IP != l.net.address:
			s.report.bad(duplicates, "%v had the address %s, and after a restart %v", l, l.net.address, v.Addresses)
		case len(v.Ports) != 1 || v.Ports[0].HostPort != l.net.port:
			s.report.bad(unanswered, "%v had the port %d, and after a restart %v", l, l.net.port, v.Ports)
		}
		s.answersAgain(until, l)
		s.took("restart", l, begin)
		s.report.count("restarts on the network", 1)
	}
}

// killHolder kills a process that holds published ports.
func (s *storm) killHolder(rnd *rand.Rand) bool {
	all := s.holders()
	if len(all) == 0 {
		return false
	}
	defer s.disturb()()
	p := all[rnd.IntN(len(all))]
	return signalTo(p, s.isHolder, syscall.SIGKILL)
}

// disturb notes that ports and names may be without an answer from now on, until a moment after
// done is called.
func (s *storm) disturb() (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disturbing++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.disturbing--
		s.disturbed = time.Now()
	}
}

// excused reports whether there was a reason to get no answer since the last one.
func (s *storm) excused(answered time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return (s.disturbing > 0 || s.disturbed.After(answered)) && time.Since(answered) < holderTime
}

func (s *storm) holders() []process { return processes(s.isHolder) }

func (s *storm) isHolder(p process) bool {
	return p.args[0] == "davit-port-holder" && strings.HasPrefix(p.cwd, filepath.Join(s.site.dir, "run/ports"))
}

// flushRules removes all rules of nftables, and wants them to be there again soon.
func (s *storm) flushRules(ctx context.Context) bool {
	before, err := s.site.net.rules()
	if err == nil && !strings.Contains(before, shared) {
		return false // not made again yet
	}
	if err == nil {
		done := s.disturb()
		err = s.site.net.flush()
		done()
	}
	if err != nil {
		s.report.bad(others, "%v", err)
		return false
	}
	begin := time.Now()
	now := ""
	for time.Since(begin) < repairTime && pause(ctx, 10*time.Millisecond) {
		if now, _ = s.site.net.rules(); strings.Contains(now, shared) {
			s.report.took("repair of rules", time.Since(begin))
			return true
		}
	}
	if ctx.Err() == nil {
		s.report.bad(unrepaired, "the rules were flushed %s ago, and there are %q", repairTime, now)
	}
	return true
}

// shared is in what rules describes of the table that all containers share.
const shared = "chain postrouting "

// repairTime is how long rules may be gone: a host may be starting.
const repairTime = 30 * time.Second

// checkNetwork wants nothing on the network but what containers need.
func (s *storm) checkNetwork(ctx context.Context, stay []*life) {
	if err := s.site.waitReady(ctx); err != nil {
		s.report.bad(others, "%v", err)
	}
	var wrong []string
	for begin := time.Now(); time.Since(begin) < settleTime; { // the kernel takes a moment to remove a namespace
		if wrong = s.wrongOnNetwork(ctx, stay); len(wrong) == 0 || !pause(ctx, 50*time.Millisecond) {
			return
		}
	}
	for _, what := range wrong {
		s.report.bad(leftovers, "with %d containers on the network: %s", len(stay), what)
	}
}

const settleTime = 20 * time.Second

// wrongOnNetwork returns what is missing and what is left of leases, links, namespaces, holders
// and rules.
func (s *storm) wrongOnNetwork(ctx context.Context, stay []*life) (wrong []string) {
	var ids, members []string
	for _, l := range stay {
		ids = append(ids, l.id)
	}
	same := func(what string, got []string) {
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(got, ids) {
			wrong = append(wrong, fmt.Sprintf("%s %v, want %v", what, got, ids))
		}
	}
	if len(stay) > 0 {
		var n struct{ Containers []struct{ ID string } }
		if err := s.site.client.call(ctx, "GET", "/networks/"+network, nil, &n); err != nil {
			return []string{err.Error()}
		}
		for _, c := range n.Containers {
			members = append(members, c.ID)
		}
		same("leases", members)
	}
	same("namespaces", s.names("run/netns"))
	same("directories of holders", s.names("run/ports"))
	if all := s.holders(); len(all) != len(stay) {
		wrong = append(wrong, fmt.Sprintf("port holders %v, want %d", all, len(stay)))
	}
	if all := processes(s.isResolver); len(all) > 1 || len(all) == 0 && len(stay) > 0 { // it may stay for a moment
		wrong = append(wrong, fmt.Sprintf("resolvers %v, want one", all))
	}
	links, err := s.site.net.links()
	rules, rerr := s.site.net.rules()
	if err != nil || rerr != nil {
		return append(wrong, fmt.Sprint(err, rerr))
	}
	bridges := min(1, len(stay))
	if len(links["veth"]) != len(stay) || len(links["bridge"]) != bridges {
		wrong = append(wrong, fmt.Sprintf("links %v, want %d of containers and %d bridges", links, len(stay), bridges))
	}
	tables := map[string]bool{} // each holder of ports has one for each family, of the same name
	for line := range strings.Lines(rules) {
		if name, ok := strings.CutPrefix(line, "table "); ok {
			tables[name] = true
		}
	}
	if len(tables) != bridges+len(stay) {
		wrong = append(wrong, fmt.Sprintf("%d names of tables of rules, want %d: %s", len(tables), bridges+len(stay), rules))
	}
	return wrong
}

// names returns those of the files in a directory of the site.
func (s *storm) names(dir string) (names []string) {
	entries, _ := os.ReadDir(filepath.Join(s.site.dir, dir))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
