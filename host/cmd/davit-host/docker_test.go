package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/internal/cli"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// dockerPage is the page that compares davit with docker, and dockerVerbs docker's verbs with
// their flags, each as in its help: `container rm: -f/--force`.
const (
	dockerPage  = "../davit/docker.md"
	dockerVerbs = "testdata/docker-28.txt"
)

// comparison is what the page says.
type comparison struct {
	verbs map[string]string // davit's command of each verb of docker; empty if it is not here
	also  []string          // further commands of davit
	flags map[string]flagComparison
}

// flagComparison is what the page says of the flags of a verb.
type flagComparison struct {
	command string
	// like is a verb whose flags are compared in the same way; empty if none is.
	like string
	// same are docker's flags that davit has, absent those that it has not, and other those
	// for which it has what the map says. more are those that docker has not.
	same, absent, more []string
	other              map[string][]string
}

var quoted = regexp.MustCompile("`([^`]+)`")

// quotes returns what is between backquotes.
func quotes(text string) (all []string) {
	for _, match := range quoted.FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}

// quotedFlags returns the flags between backquotes, without their values.
func quotedFlags(text string) (flags []string) {
	for _, q := range quotes(text) {
		if strings.HasPrefix(q, "-") {
			flags = append(flags, strings.Fields(q)[0])
		}
	}
	return flags
}

// commandsIn returns the commands of davit between backquotes.
func commandsIn(text string) (commands []string) {
	for _, q := range quotes(text) {
		if command, ok := strings.CutPrefix(q, "davit "); ok {
			commands = append(commands, command)
		}
	}
	return commands
}

func readPage(t *testing.T) comparison {
	t.Helper()
	text, err := os.ReadFile(dockerPage)
	if err != nil {
		t.Fatal(err)
	}
	page := comparison{verbs: map[string]string{}, flags: map[string]flagComparison{}}
	section := ""
	for block := range strings.SplitSeq(string(text), "\n\n") {
		f := page.flags[section]
		switch {
		case strings.HasPrefix(block, "### docker "):
			verb, command, ok := strings.Cut(strings.TrimPrefix(block, "### docker "), ": davit ")
			if _, twice := page.flags[verb]; !ok || twice {
				t.Errorf("heading %q is not new, or not of the form docker VERB: davit COMMAND", block)
			}
			section, f = verb, flagComparison{command: command}
		case strings.HasPrefix(block, "As `docker "):
			f.like = strings.TrimPrefix(quotes(block)[0], "docker ")
		case strings.HasPrefix(block, "The same:"):
			f.same = quotedFlags(block)
		case strings.HasPrefix(block, "More here:"):
			f.more = quotedFlags(block)
		case strings.HasPrefix(block, "| docker | davit |"):
			page.readTable(&f, block)
		case strings.HasPrefix(block, "| davit |"):
			for line := range strings.Lines(block) {
				page.also = append(page.also, commandsIn(strings.Split(line, "|")[1])...)
			}
		}
		if section != "" {
			page.flags[section] = f
		}
	}
	return page
}

// readTable reads a table: of verbs, or of flags.
func (page *comparison) readTable(f *flagComparison, table string) {
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		first, second := cells[1], strings.TrimSpace(cells[2])
		absent := strings.HasPrefix(second, "not here")
		for _, q := range quotes(first) {
			verb, isVerb := strings.CutPrefix(q, "docker ")
			switch {
			case isVerb && absent:
				page.verbs[verb] = ""
			case isVerb:
				page.verbs[verb] = commandsIn(second)[0]
				page.also = append(page.also, commandsIn(cells[3])...)
			case absent:
				f.absent = append(f.absent, q)
			default:
				if f.other == nil {
					f.other = map[string][]string{}
				}
				f.other[q] = quotedFlags(second)
			}
		}
	}
}

// readVerbs returns docker's verbs with their flags.
func readVerbs(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(dockerVerbs)
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		verb, flags, _ := strings.Cut(line, ":")
		verbs[verb] = strings.Fields(flags)
	}
	return verbs
}

// davitCommands returns the commands that can be run, by their paths, with their flags.
func davitCommands() map[string][]string {
	commands := map[string][]string{}
	var add func(c *cobra.Command)
	add = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			if !below.Hidden {
				add(below)
			}
		}
		path := strings.TrimPrefix(c.CommandPath(), "davit ")
		if !c.Runnable() || !c.HasParent() || c.HasSubCommands() {
			return
		}
		flags := []string{}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			switch {
			case f.Hidden || f.Name == "help":
			case f.Shorthand != "":
				flags = append(flags, "-"+f.Shorthand+"/--"+f.Name)
			default:
				flags = append(flags, "--"+f.Name)
			}
		})
		commands[path] = flags
	}
	a := cli.App{Env: func(string) (string, bool) { return "", false }}
	add(a.Root())
	return commands
}

// long returns the long form of a flag.
func long(flag string) string { return flag[strings.LastIndexByte(flag, '/')+1:] }

// has reports whether there is a flag with the name of another one, and with its letter if it
// has one.
func has(flags []string, flag string) bool {
	return slices.ContainsFunc(flags, func(f string) bool { return f == flag || long(f) == flag })
}

// TestDockerPage compares the page about docker with the commands that there are.
func TestDockerPage(t *testing.T) {
	for _, fault := range faults(readPage(t), readVerbs(t), davitCommands()) {
		t.Errorf("%s: %s", dockerPage, fault)
	}
}

// TestDockerPageFaults shows that no mistake in the page passes.
func TestDockerPageFaults(t *testing.T) {
	verbs := map[string][]string{"container rm": {"-f/--force", "--link", "-v/--volumes"}, "container run": {"-f/--force"}, "container new": {"-f/--force"}, "search": {}}
	commands := map[string][]string{"rm": {"-f/--force", "--volumes", "--stray"}, "run": {"-f/--force"}, "new": {}, "add": {}}
	good := func() comparison {
		return comparison{
			verbs: map[string]string{"container rm": "rm", "container run": "run", "container new": "new", "search": ""},
			also:  []string{"add"},
			flags: map[string]flagComparison{
				"container rm":  {command: "rm", same: []string{"-f/--force"}, absent: []string{"--link"}, other: map[string][]string{"-v/--volumes": {"--volumes"}}, more: []string{"--stray"}},
				"container run": {command: "run", like: "container rm"},
				"container new": {command: "new", like: "container rm", absent: []string{"-f/--force"}},
			},
		}
	}
	if got := faults(good(), verbs, commands); len(got) > 0 {
		t.Errorf("a page without a fault has %q", got)
	}
	change := func(page *comparison, by func(*flagComparison)) {
		f := page.flags["container rm"]
		by(&f)
		page.flags["container rm"] = f
	}
	for fault, make := range map[string]func(*comparison){
		"docker search is missing":                 func(p *comparison) { delete(p.verbs, "search") },
		"docker frob is not known":                 func(p *comparison) { p.verbs["frob"] = "" },
		"docker container rm: there is a davit rm": func(p *comparison) { p.verbs["container rm"] = "" },
		"docker container new: -f/--force is not the same here": func(p *comparison) {
			p.flags["container new"] = flagComparison{command: "new", like: "container rm"}
		},
		"davit add is missing":                           func(p *comparison) { p.also = nil },
		"davit old does not exist":                       func(p *comparison) { p.also = append(p.also, "old") },
		"docker container rm: its flags are missing":     func(p *comparison) { delete(p.flags, "container rm") },
		"docker container rm: --link is missing":         func(p *comparison) { change(p, func(f *flagComparison) { f.absent = nil }) },
		"docker container rm: -f/--force is there twice": func(p *comparison) { change(p, func(f *flagComparison) { f.absent = append(f.absent, "-f/--force") }) },
		"docker container rm: -v/--volumes is not the same here": func(p *comparison) {
			change(p, func(f *flagComparison) { f.same, f.other = append(f.same, "-v/--volumes"), nil })
		},
		"docker container rm: --all does not exist here": func(p *comparison) {
			change(p, func(f *flagComparison) { f.other["-v/--volumes"] = []string{"--all"} })
		},
		"docker container rm: there is a --force here": func(p *comparison) {
			change(p, func(f *flagComparison) { f.same, f.absent = nil, append(f.absent, "-f/--force") })
		},
		"docker container rm: --stray of davit rm is missing": func(p *comparison) { change(p, func(f *flagComparison) { f.more = nil }) },
		"docker container rm: --force is docker's, too":       func(p *comparison) { change(p, func(f *flagComparison) { f.more = append(f.more, "--force") }) },
		"docker container rm: -x is not known":                func(p *comparison) { change(p, func(f *flagComparison) { f.absent = append(f.absent, "-x") }) },
	} {
		page := good()
		make(&page)
		if got := faults(page, verbs, commands); !slices.Contains(got, fault) {
			t.Errorf("%s: found are %q", fault, got)
		}
	}
}

// faults compares the page with docker's verbs and davit's commands.
func faults(page comparison, verbs, commands map[string][]string) (found []string) {
	fault := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	listed := page.also
	for verb, command := range page.verbs {
		_, last, _ := strings.Cut(verb, " ")
		_, whole := commands[verb]
		_, short := commands[last]
		switch {
		case verbs[verb] == nil:
			fault("docker %s is not known", verb)
		case command != "":
			listed = append(listed, command)
		case whole:
			fault("docker %s: there is a davit %s", verb, verb)
		case strings.HasPrefix(verb, "container ") && short:
			fault("docker %s: there is a davit %s", verb, last)
		}
	}
	for command := range commands {
		if !slices.Contains(listed, command) && command != "help" && !strings.HasPrefix(command, "completion ") {
			fault("davit %s is missing", command)
		}
	}
	for _, command := range listed {
		if commands[command] == nil {
			fault("davit %s does not exist", command)
		}
	}
	for verb, flags := range verbs {
		command, there := page.verbs[verb]
		f, compared := page.flags[verb]
		switch {
		case !there:
			fault("docker %s is missing", verb)
		case command != "" && !compared && len(flags)+len(commands[command]) > 0:
			fault("docker %s: its flags are missing", verb)
		case compared && command != f.command:
			fault("docker %s is davit %s, and its flags are those of davit %s", verb, command, f.command)
		case compared:
			if f.like != "" {
				f = page.flags[f.like].of(flags, commands[command]).without(f.absent)
			}
			for _, text := range f.faults(command, flags, commands[command]) {
				fault("docker %s: %s", verb, text)
			}
		}
	}
	return found
}

// of returns what is compared of the flags of another verb and command.
func (f flagComparison) of(docker, davit []string) flagComparison {
	f.same, f.absent, f.more, f.other = slices.Clone(f.same), slices.Clone(f.absent), slices.Clone(f.more), maps.Clone(f.other)
	unknown := func(flag string) bool { return !slices.Contains(docker, flag) }
	f.same, f.absent = slices.DeleteFunc(f.same, unknown), slices.DeleteFunc(f.absent, unknown)
	maps.DeleteFunc(f.other, func(flag string, _ []string) bool { return unknown(flag) })
	f.more = slices.DeleteFunc(f.more, func(flag string) bool { return !has(davit, flag) })
	return f
}

// without returns f for a command that lacks some of the flags.
func (f flagComparison) without(absent []string) flagComparison {
	f.same = slices.DeleteFunc(f.same, func(flag string) bool { return slices.Contains(absent, flag) })
	f.absent = append(f.absent, absent...)
	return f
}

// faults compares what the page says of the flags of a verb with those of docker and davit.
func (f flagComparison) faults(command string, docker, davit []string) (found []string) {
	fault := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	seen, used := map[string]int{}, slices.Clone(f.more)
	for _, flag := range f.same {
		seen[flag]++
		used = append(used, flag)
		if !has(davit, flag) {
			fault("%s is not the same here", flag)
		}
	}
	for _, flag := range f.absent {
		seen[flag]++
		if has(davit, long(flag)) {
			fault("there is a %s here", long(flag))
		}
	}
	for flag, here := range f.other {
		seen[flag]++
		used = append(used, here...)
		if len(here) == 0 {
			fault("%s is neither absent nor anything else", flag)
		}
	}
	for _, flag := range docker {
		if seen[flag] == 0 {
			fault("%s is missing", flag)
		}
	}
	for flag, n := range seen {
		switch {
		case !slices.Contains(docker, flag):
			fault("%s is not known", flag)
		case n > 1:
			fault("%s is there twice", flag)
		}
	}
	for _, flag := range f.more {
		if has(docker, long(flag)) {
			fault("%s is docker's, too", flag)
		}
	}
	for _, flag := range davit {
		if !has(used, long(flag)) {
			fault("%s of davit %s is missing", flag, command)
		}
	}
	for _, flag := range used {
		if short := len(flag) == 2; !short && !has(davit, flag) || short && !slices.ContainsFunc(davit, func(d string) bool { return strings.HasPrefix(d, flag+"/") }) {
			fault("%s does not exist here", flag)
		}
	}
	return found
}
