package config

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// Rule says what some users may do over the API. A request is allowed if one rule allows all of
// it: what several rules allow does not add up. Lists of backends, runtimes, networks and
// volumes have names or patterns in which * stands for any text.
type Rule struct {
	// Name is unique among the rules. Errors mention it.
	Name string `json:"-"`
	// Users and Groups are whom it is about: names or numbers. One match is enough.
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
	// Allow says what they may do: some of the words MayRead and so on.
	Allow []string `json:"allow,omitempty"`
	// Backends are those on which they may run containers. Runtimes are those that they may
	// use there; empty means the default of the backend.
	Backends []string `json:"backends,omitempty"`
	Runtimes []string `json:"runtimes,omitempty"`
	// Features are the words FeatureHostNetwork and so on: what containers may have that most
	// do without.
	Features []string `json:"features,omitempty"`
	// Capabilities may be added to those that every container has, such as NET_ADMIN, or ALL.
	Capabilities []string `json:"capabilities,omitempty"`
	// Devices are paths of devices, or of directories with devices.
	Devices []string `json:"devices,omitempty"`
	// Binds are paths PATH or PATH:ro of what may be mounted into containers or be their root
	// file system, with what is below them.
	Binds []string `json:"binds,omitempty"`
	// Volumes and Networks may be used by these names. Anonymous volumes, and no network, need
	// no rule.
	Volumes  []string `json:"volumes,omitempty"`
	Networks []string `json:"networks,omitempty"`

	at     diag.Range
	source *body
}

// What a [Rule] may allow.
const (
	// MayRead is to see what the host has, and the own containers with their output.
	MayRead = "read"
	// MayRun is to make containers, and to do anything with the own ones. It includes MayRead.
	MayRun = "run"
	// MayPull is to fetch images.
	MayPull = "pull"
	// MayChangeImages is to load, make, name, save, push and remove images: whoever runs an
	// image by its name runs what they have put there.
	MayChangeImages = "images"
	// MayReadOthers is to see the containers of others, with their output and all events. It
	// includes MayRead.
	MayReadOthers = "read-others"
	// MayControlOthers is to do anything with the containers of others, among them those of
	// root. It includes MayReadOthers.
	MayControlOthers = "others"
)

// Features that a [Rule] may allow.
const (
	FeatureHostNetwork  = "host-network"
	FeatureHostPID      = "host-pid"
	FeatureHostIPC      = "host-ipc"
	FeatureHostUTS      = "host-uts"
	FeatureHostCgroupns = "host-cgroupns"
	// FeaturePrivileged is for containers and for further processes in them.
	FeaturePrivileged = "privileged"
	// FeatureBundle is to run OCI bundles of one's own: any spec, with any hook.
	FeatureBundle = "bundle"
	// FeatureAnnotations is to set annotations, which runtimes take for settings.
	FeatureAnnotations = "annotations"
	// FeatureSeccomp is to choose the seccomp profile.
	FeatureSeccomp = "seccomp"
	// FeatureNewPrivileges is to say that programs may get privileges, where the config says
	// that they may not.
	FeatureNewPrivileges = "new-privileges"
	// FeatureDeviceRules is to set rules for devices by their numbers.
	FeatureDeviceRules = "device-rules"
	// FeatureMounts is to mount anything but volumes, tmpfs and Binds, with any option.
	FeatureMounts = "mounts"
	// FeatureOOMScore is to be spared when the machine has no memory left.
	FeatureOOMScore = "oom-score"
	// FeaturePublish is to publish ports from 1024, or free ones, FeaturePublishLow any.
	FeaturePublish    = "publish"
	FeaturePublishLow = "publish-low"
)

// Verbs returns what rules may allow.
func Verbs() []string {
	return []string{MayRead, MayRun, MayPull, MayChangeImages, MayReadOthers, MayControlOthers}
}

// Features returns the features that rules may allow.
func Features() []string {
	return []string{
		FeatureHostNetwork, FeatureHostPID, FeatureHostIPC, FeatureHostUTS, FeatureHostCgroupns, FeaturePrivileged, FeatureBundle,
		FeatureAnnotations, FeatureSeccomp, FeatureNewPrivileges, FeatureDeviceRules, FeatureMounts, FeatureOOMScore, FeaturePublish, FeaturePublishLow,
	}
}

// Allows reports whether the rule allows what one of the words MayRead and so on stands for.
func (r *Rule) Allows(verb string) bool {
	implied := map[string][]string{
		MayRead:       {MayRun, MayReadOthers, MayControlOthers},
		MayReadOthers: {MayControlOthers},
	}[verb]
	return slices.ContainsFunc(r.Allow, func(have string) bool { return have == verb || slices.Contains(implied, have) })
}

// At returns the place of an attribute of r, or the nearest to it. It is zero unless r was read
// from files.
func (r *Rule) At(attr ...string) diag.Range {
	if place, exact := r.source.locate(attr...); exact && len(attr) > 0 {
		return place
	}
	return r.at
}

// Bind splits an element of Binds.
func Bind(element string) (path string, readOnly bool) { return strings.CutSuffix(element, ":ro") }

// MatchesAny reports whether a name is one of a list, or matches one of its patterns.
func MatchesAny(list []string, name string) bool {
	return slices.ContainsFunc(list, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok || pattern == name
	})
}

// ruleSchema declares what a rule may have.
func ruleSchema() executor.Schema {
	return executor.Schema{Attributes: []executor.Attribute{
		{Name: "users", Type: executor.Strings, Description: "users whom it is about, by name or number"},
		{Name: "groups", Type: executor.Strings, Description: "groups whose members it is about, by name or number"},
		{Name: "allow", Type: executor.Strings, Required: true, Description: "what they may do", Enum: Verbs()},
		{Name: "backends", Type: executor.Strings, Description: "backends on which they may run containers, such as [\"main\"] or [\"*\"]"},
		{Name: "runtimes", Type: executor.Strings, Description: "runtimes that they may use; without it, the default of the backend"},
		{Name: "features", Type: executor.Strings, Description: "what containers may have that most do without", Enum: Features()},
		{Name: "capabilities", Type: executor.Strings, Description: "what may be added to the usual capabilities, such as [\"NET_ADMIN\"] or [\"ALL\"]"},
		{Name: "devices", Type: executor.Strings, Description: "paths of devices, or of directories with devices"},
		{Name: "binds", Type: executor.Strings, Description: "paths that may be mounted, each PATH or PATH:ro, with what is below"},
		{Name: "volumes", Type: executor.Strings, Description: "names of volumes, such as [\"ci-*\"]; anonymous ones need no rule"},
		{Name: "networks", Type: executor.Strings, Description: "names of networks, such as [\"default\", \"user\"]; none needs no rule, and host is a feature"},
	}}
}

// takeRules splits the items of a file into the rules and the rest.
func takeRules(root *body, diags *diag.Diagnostics) (rules []Rule, rest *body) {
	blocks, rest := root.take("rule", diags)
	for _, it := range blocks {
		r := Rule{source: it.value.(*body)}
		fill(&r, decode(ruleSchema(), r.source, fmt.Sprintf("rule %q", it.labels[0]), diags), it.at, diags)
		r.Name, r.at = it.labels[0], it.at
		rules = append(rules, r)
	}
	return rules, rest
}

// rules checks the rules of a config.
func (v *validator) rules(c *Config) {
	if len(c.Rules) > 0 && !c.API.Rules {
		v.Fail(c.Rules[0].at, "write api { rules = true }, or remove the rules", "there are rules, and the API does not follow them: without rules = true whoever may connect may do everything")
	}
	var names []string
	for i := range c.Rules {
		r := &c.Rules[i]
		if slices.Contains(names, r.Name) {
			v.Fail(r.at, "rename one of them", "rule %q is already defined", r.Name)
		}
		names = append(names, r.Name)
		v.rule(c, r)
	}
}

func (v *validator) rule(c *Config, r *Rule) {
	fail := func(attr, hint, format string, args ...any) {
		v.Fail(r.At(attr), hint, "rule %q: %s", r.Name, fmt.Sprintf(format, args...))
	}
	if r.Name == "" {
		fail("", "write rule \"NAME\" { … }", "it has no name")
	}
	if len(r.Users)+len(r.Groups) == 0 {
		fail("", `add users = ["…"] or groups = ["…"]`, "it is about nobody")
	}
	if len(r.Allow) == 0 && r.emptyHanded() {
		fail("", `add allow = ["run"]`, "it allows nothing")
	}
	for attr, list := range map[string][]string{"allow": r.Allow, "features": r.Features} {
		known := map[string][]string{"allow": Verbs(), "features": Features()}[attr]
		for _, word := range list {
			if !slices.Contains(known, word) { // a file's were checked with the schema
				fail(attr, suggest(word, known), "%s %q is not known", attr, word)
			}
		}
	}
	for attr, list := range r.lists() {
		for _, element := range list {
			if element == "" || strings.ContainsRune(element, 0) {
				fail(attr, "remove it", "%s has %q, which names nothing", attr, element)
			}
		}
	}
	for attr, list := range map[string][]string{"backends": r.Backends, "runtimes": r.Runtimes, "volumes": r.Volumes, "networks": r.Networks} {
		for _, pattern := range list {
			if _, err := path.Match(pattern, ""); err != nil {
				fail(attr, "* stands for any text", "%s: %q is not a pattern", attr, pattern)
			}
		}
	}
	if r.Allows(MayRun) && len(r.Backends) == 0 {
		fail("", fmt.Sprintf("add backends = [%q]", firstOr(c.Backends, "main")), "it allows to run containers, and on no backend")
	}
	var all []string
	for i := range c.Backends {
		all = append(all, c.Backends[i].Name)
	}
	for _, pattern := range r.Backends {
		if !slices.ContainsFunc(all, func(name string) bool { return MatchesAny([]string{pattern}, name) }) {
			fail("backends", suggest(pattern, all), "backend %q is not configured", pattern)
		}
	}
	for _, name := range r.Capabilities {
		if err := (&ocispec.Options{CapAdd: []string{name}}).Validate(); err != nil {
			fail("capabilities", "", "%v", err)
		}
	}
	if slices.Contains(r.Networks, ocispec.NetworkHost) {
		fail("networks", fmt.Sprintf("write features = [%q]", FeatureHostNetwork), "the machine's own network is no network of a name")
	}
	for _, device := range r.Devices {
		if !filepath.IsAbs(device) {
			fail("devices", "write it from / on", "device %q is not an absolute path", device)
		}
	}
	for _, element := range r.Binds {
		v.bindOfRule(c, r, element)
	}
}

// emptyHanded reports whether a rule says that it allows nothing. If a file has no list of that,
// or a wrong one, the schema says so.
func (r *Rule) emptyHanded() bool {
	it := r.source.find("allow")
	if it == nil {
		return r.source == nil
	}
	list, ok := it.value.([]node)
	return ok && len(list) == 0
}

// bindOfRule checks a path that may be mounted. Nobody may have the host's own files.
func (v *validator) bindOfRule(c *Config, r *Rule, element string) {
	source, _ := Bind(element)
	switch {
	case !filepath.IsAbs(source):
		v.Fail(r.At("binds"), "write PATH or PATH:ro", "rule %q: bind %q is not an absolute path", r.Name, element)
	case Within(source, c.StateDir) || Within(source, c.RunDir):
		v.Fail(r.At("binds"), "no rule can allow that; use a volume", "rule %q: bind %q is among the host's own files", r.Name, element)
	}
}

// Within reports whether a path is a directory or below it.
func Within(path, dir string) bool {
	path, dir = filepath.Clean(path), filepath.Clean(dir)
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// lists returns all lists of r, by the names of their attributes.
func (r *Rule) lists() map[string][]string {
	return map[string][]string{
		"users": r.Users, "groups": r.Groups, "backends": r.Backends, "runtimes": r.Runtimes, "capabilities": r.Capabilities,
		"devices": r.Devices, "binds": r.Binds, "volumes": r.Volumes, "networks": r.Networks,
	}
}

func firstOr(backends []Backend, otherwise string) string {
	if len(backends) > 0 {
		return backends[0].Name
	}
	return otherwise
}
