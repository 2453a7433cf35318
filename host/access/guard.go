package access

import (
	"context"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
)

// Guard decides by the rules of a config. It is safe for concurrent use.
type Guard struct {
	state atomic.Pointer[state]
}

var _ api.Access = (*Guard)(nil)

// state is what a Guard decides by. It does not change.
type state struct {
	config config.Config
	rules  []rule
}

// rule is a rule with the numbers of those whom it is about.
type rule struct {
	*config.Rule
	uids, gids []int
}

// New returns a Guard with the rules of a config, for which api has rules = true. Otherwise it
// lets everybody do everything.
func New(cfg config.Config) *Guard {
	g := &Guard{}
	g.Set(cfg)
	return g
}

// Set puts the rules of another config into force. They count for all requests from then on.
// Those that are being served go on.
func (g *Guard) Set(cfg config.Config) {
	s := &state{config: cfg.WithDefaults()}
	for i := range cfg.Rules {
		r := rule{Rule: &cfg.Rules[i]}
		for _, name := range r.Users {
			if uid, ok := number(name, userNumber); ok {
				r.uids = append(r.uids, uid)
			}
		}
		for _, name := range r.Groups {
			if gid, ok := number(name, groupNumber); ok {
				r.gids = append(r.gids, gid)
			}
		}
		s.rules = append(s.rules, r)
	}
	g.state.Store(s)
}

// number returns the number that a name is, or that it stands for on this machine.
func number(name string, lookUp func(string) (string, error)) (int, bool) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), true
	}
	text, err := lookUp(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

func userNumber(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupNumber(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// isAbout reports whether a rule is about a caller.
func (r *rule) isAbout(c *api.Caller) bool {
	return slices.Contains(r.uids, c.UID) || slices.Contains(r.gids, c.GID) ||
		slices.ContainsFunc(r.gids, func(gid int) bool { return slices.Contains(c.Groups, gid) })
}

// Allow implements [api.Access].
func (g *Guard) Allow(ctx context.Context, caller *api.Caller, asked *api.Asked) error {
	s := g.state.Load()
	switch {
	case !s.config.API.Rules:
		return nil
	case caller == nil:
		return api.Denied("%s: the host has access rules, and does not know who asks; connect to its Unix socket", called(asked))
	case caller.Almighty():
		return nil
	}
	need, known := needs[asked.Route]
	if !known || need.may == rootOnly {
		return api.Denied("%s is for root alone: no rule can allow it", called(asked))
	}
	for _, name := range asked.Set() {
		if !slices.Contains(need.knows(), name) {
			return api.Denied("%s: the access rules do not know %q, so that it is for root alone; leave it out", called(asked), name)
		}
	}
	if need.may == anyone {
		return nil
	}
	d := &decision{ctx: ctx, state: s, caller: caller, asked: asked}
	return d.make(need)
}

// decision is a decision about one request.
type decision struct {
	ctx    context.Context
	state  *state
	caller *api.Caller
	asked  *api.Asked
}

// rules returns the rules about the caller.
func (d *decision) rules() (about []*rule) {
	for i := range d.state.rules {
		if r := &d.state.rules[i]; r.isAbout(d.caller) {
			about = append(about, r)
		}
	}
	return about
}

// allowing returns the rules about the caller that allow something. Without one, the error says
// so.
func (d *decision) allowing(verb, what string) ([]*rule, error) {
	about := d.rules()
	with := slices.DeleteFunc(slices.Clone(about), func(r *rule) bool { return !r.Allows(verb) })
	if len(with) > 0 {
		return with, nil
	}
	return nil, d.denied(about, what, fmt.Sprintf("allow = [%q]", verb))
}

// denied returns the error for what no rule allows. missing is what a rule would need.
func (d *decision) denied(about []*rule, what, missing string) error {
	who := calledUser(d.caller.UID)
	if len(about) == 0 {
		return api.Denied("%s: no access rule is about %s; root can add one with %s to the config and run davit reload", what, who, missing)
	}
	names := make([]string, len(about))
	for i, r := range about {
		names[i] = strconv.Quote(r.Name)
	}
	which := fmt.Sprintf("the rule %s for %s does not have", names[0], who)
	if len(names) > 1 {
		which = fmt.Sprintf("none of the rules %s for %s has", strings.Join(names, ", "), who)
	}
	return api.Denied("%s needs %s, which %s; root can add it to the config and run davit reload", what, missing, which)
}

// calledUser returns how messages call a user.
func calledUser(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return fmt.Sprintf("user %s (%d)", u.Username, uid)
	}
	return fmt.Sprintf("user %d", uid)
}

// called returns how messages call a request: by the name of its route, in words.
func called(asked *api.Asked) string {
	name := asked.Route
	for _, suffix := range []string{"With", "Attempt", "Attached", "Streams"} {
		name = strings.TrimSuffix(name, suffix)
	}
	var words strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 && !unicode.IsUpper(rune(name[i-1])) {
			words.WriteByte(' ')
		}
		words.WriteRune(unicode.ToLower(r))
	}
	return words.String()
}

// make makes the decision.
func (d *decision) make(need need) error {
	if need.container != "" {
		if err := d.container(need); err != nil {
			return err
		}
	} else if need.of == nil {
		if _, err := d.allowing(need.may, called(d.asked)); err != nil {
			return err
		}
	}
	if need.own {
		d.asked.OwnOnly = !slices.ContainsFunc(d.rules(), func(r *rule) bool { return r.Allows(config.MayReadOthers) })
	}
	if need.of != nil {
		return need.of(d)
	}
	return nil
}

// container decides whether the caller may do something with the container that the request
// names, and puts its id into the request.
func (d *decision) container(need need) error {
	reference := d.asked.Text(need.container)
	if reference == nil {
		return api.Denied("%s is for root alone: the access rules do not find the container in it", called(d.asked))
	}
	c, err := d.mayUse(*reference, need.may, called(d.asked))
	if err != nil {
		return err
	}
	*reference = c.ID
	return nil
}

// mayUse returns a container if the caller may do with it what a verb stands for, which is that
// for one of the caller's own.
func (d *decision) mayUse(reference, verb, what string) (api.Container, error) {
	about := d.rules()
	if len(about) == 0 { // who may do nothing learns nothing
		return api.Container{}, d.denied(nil, what, fmt.Sprintf("allow = [%q]", verb))
	}
	c, err := d.asked.Inspect(reference)
	if err != nil {
		return c, err
	}
	if c.OwnedBy(d.caller.UID) {
		_, err = d.allowing(verb, what)
		return c, err
	}
	others := config.MayControlOthers
	if verb == config.MayRead {
		others = config.MayReadOthers
	}
	_, err = d.allowing(others, fmt.Sprintf("%s: container %s was made by %s, and that", what, reference, madeBy(&c)))
	return c, err
}

// madeBy says who made a container.
func madeBy(c *api.Container) string {
	if c.Owner == nil {
		return "nobody who is known"
	}
	return calledUser(*c.Owner)
}
