// Package cniplugin is a plugin of CNI for tests: a program that makes nothing but a record of
// how it was called, and misbehaves on demand.
//
//	DIR/bin/NAME       the program
//	DIR/NAME/calls     a line for each call: ADD ID LINK
//	DIR/NAME/in.ADD    what the last call of ADD was given, and env.ADD its variables CNI_…
//	DIR/NAME/made/ID   what ADD has made for a container, until DEL takes it back
//
// As plugins do, it refuses a second ADD for a container, and a DEL without anything to take
// back is no error.
package cniplugin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ways to misbehave; see Plugin.Behave.
const (
	// Hang never ends, and has started a program that does not either.
	Hang = "hang"
	// Before waits until Go is called, and then does its work. After has done it first.
	Before, After = "before", "after"
	// Garbage prints what is no result, and Endless does not end doing so.
	Garbage, Endless = "garbage", "endless"
	// Fail says in the words of CNI that it fails, and Die only on stderr.
	Fail, Die = "fail", "die"
)

// Plugin is the program.
type Plugin struct {
	t    testing.TB
	Bin  string // the directory of the program
	Name string
	dir  string
}

const script = `#!/bin/sh
dir='DIR'
printf '%s %s %s\n' "$CNI_COMMAND" "$CNI_CONTAINERID" "$CNI_IFNAME" >>"$dir/calls"
cat >"$dir/in.$CNI_COMMAND"
env | grep ^CNI_ >"$dir/env.$CNI_COMMAND"
mode=$(cat "$dir/mode.$CNI_COMMAND" 2>/dev/null)
made="$dir/made/$CNI_CONTAINERID"
hold() { : >"$dir/holds.$CNI_COMMAND"; while ! [ -e "$dir/go" ]; do sleep 0.01; done; }
case $mode in
hang) : >"$dir/holds.$CNI_COMMAND"; sleep 1000; exit ;;
before) hold ;;
garbage) echo 'well, well'; exit ;;
endless) exec cat /dev/zero ;;
fail) echo '{ "cniVersion": "1.0.0", "code": 11, "msg": "no address is free", "details": "all of 10.7.0.0/24 are taken" }'; exit 1 ;;
die) echo 'Segmentation fault' >&2; exit 139 ;;
esac
case $CNI_COMMAND in
ADD)
	if [ -e "$made" ]; then echo '{ "code": 100, "msg": "duplicate allocation" }'; exit 1; fi
	printf '%s' "$CNI_NETNS" >"$made" ;;
DEL) rm -f "$made" ;;
esac
[ "$mode" = after ] && hold
case $CNI_COMMAND in
ADD) cat "$dir/result" ;;
VERSION) echo '{ "cniVersion": "1.1.0", "supportedVersions": [ "0.4.0", "1.0.0", "1.1.0" ] }' ;;
esac
exit 0
`

// New makes a plugin in a directory, in which there may be others. It gives the address
// 10.7.0.2.
func New(t testing.TB, dir, name string) *Plugin {
	t.Helper()
	p := &Plugin{t: t, Bin: filepath.Join(dir, "bin"), Name: name, dir: filepath.Join(dir, name)}
	for _, d := range []string{p.Bin, filepath.Join(p.dir, "made")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.write(filepath.Join(p.Bin, name), strings.ReplaceAll(script, "DIR", p.dir), 0o700)
	p.Gives("10.7.0.2/24")
	return p
}

func (p *Plugin) write(path, text string, mode os.FileMode) {
	p.t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		p.t.Fatal(err)
	}
}

// Gives says which address ADD gives.
func (p *Plugin) Gives(address string) {
	p.t.Helper()
	p.Returns(`{ "cniVersion": "1.0.0", "interfaces": [ { "name": "eth0", "sandbox": "x" } ],
		"ips": [ { "address": "` + address + `", "gateway": "10.7.0.1", "interface": 0 } ],
		"dns": { "nameservers": [ "10.7.0.53" ], "domain": "plugin.example", "options": [ "ndots:2" ] } }`)
}

// Returns says what ADD prints.
func (p *Plugin) Returns(text string) {
	p.t.Helper()
	p.write(filepath.Join(p.dir, "result"), text, 0o600)
}

// Behave says how the calls of a command misbehave from now on, "" for not at all.
func (p *Plugin) Behave(command, mode string) {
	p.t.Helper()
	_ = os.Remove(p.holds(command))
	p.write(filepath.Join(p.dir, "mode."+command), mode, 0o600)
}

// Holds reports whether a call of a command has come to where it waits or hangs.
func (p *Plugin) Holds(command string) bool {
	_, err := os.Stat(p.holds(command))
	return err == nil
}

func (p *Plugin) holds(command string) string { return filepath.Join(p.dir, "holds."+command) }

// Go lets calls go on that wait.
func (p *Plugin) Go() { p.write(filepath.Join(p.dir, "go"), "", 0o600) }

// Calls returns the commands of all calls, without VERSION.
func (p *Plugin) Calls() string {
	text, _ := os.ReadFile(filepath.Join(p.dir, "calls"))
	var commands []string
	for line := range strings.Lines(string(text)) {
		if command, _, _ := strings.Cut(line, " "); command != "VERSION" {
			commands = append(commands, command)
		}
	}
	return strings.Join(commands, " ")
}

// Made returns for how many containers something is made.
func (p *Plugin) Made() int {
	made, err := os.ReadDir(filepath.Join(p.dir, "made"))
	if err != nil {
		p.t.Error(err)
	}
	return len(made)
}

// In returns the configuration that the last call of a command was given.
func (p *Plugin) In(command string) (in map[string]any) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "in."+command))
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return in
}

// Env returns the variables of the last call of a command.
func (p *Plugin) Env(command string) string {
	text, _ := os.ReadFile(filepath.Join(p.dir, "env."+command))
	return string(text)
}

// Conflist writes a list of plugins, and returns its path. Each takes capabilities.
func Conflist(t testing.TB, dir string, capabilities []string, plugins ...*Plugin) string {
	t.Helper()
	takes := map[string]bool{}
	for _, c := range capabilities {
		takes[c] = true
	}
	var list []map[string]any
	for _, p := range plugins {
		list = append(list, map[string]any{"type": p.Name, "capabilities": takes})
	}
	text, err := json.Marshal(map[string]any{"cniVersion": "1.0.0", "name": "lan", "plugins": list})
	path := filepath.Join(dir, "lan.conflist")
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
