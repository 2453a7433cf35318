package ocispec

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// apply sets o and the absolute path of the rootfs in a spec, and returns its bytes.
func (o *Options) apply(spec *object, rootfs string) (json.RawMessage, error) {
	process, err := o.process(spec, rootfs)
	if err != nil {
		return nil, err
	}
	changes := patch{"root": patch{"path": rootfs}, "process": process, "linux": o.linux()}
	if o.ReadOnly {
		changes["root"] = patch{"path": rootfs, "readonly": true}
	}
	if o.Hostname != "" {
		changes["hostname"] = o.Hostname
	}
	if len(o.Annotations) > 0 {
		annotations := map[string]string{} // no patch: the case of keys matters
		if _, err := spec.get("annotations", &annotations); err != nil {
			return nil, err
		}
		maps.Copy(annotations, o.Annotations)
		changes["annotations"] = annotations
	}
	if len(o.Mounts) > 0 {
		if changes["mounts"], err = o.mounts(spec); err != nil {
			return nil, err
		}
	}
	if err := spec.merge(changes); err != nil {
		return nil, err
	}
	for _, p := range parts() {
		if err := p.change(o, spec, rootfs); err != nil {
			return nil, err
		}
	}
	if err := checkMemory(spec); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(spec)
	if err == nil && len(raw) > executor.MaxSpecSize {
		err = fmt.Errorf("the spec has %d bytes, at most %d are allowed", len(raw), executor.MaxSpecSize)
	}
	return raw, err
}

// process returns the changes to the process.
func (o *Options) process(spec *object, rootfs string) (patch, error) {
	process, err := spec.object("process")
	if err != nil {
		return nil, err
	}
	var args, env []string
	if _, err := process.get("args", &args); err != nil {
		return nil, err
	}
	if _, err := process.get("env", &env); err != nil {
		return nil, err
	}
	changes := patch{}
	switch {
	case len(o.Args) > 0:
		changes["args"] = o.Args
	case len(args) == 0:
		return nil, errors.New("there is no command to run; give one, or set process.args in the spec")
	}
	before := len(env)
	env = mergeEnv(env, o.Env)
	if o.Terminal != nil {
		changes["terminal"] = *o.Terminal
		if *o.Terminal && !hasEnv(env, "TERM") {
			env = append(env, "TERM=xterm")
		}
		if *o.Terminal && o.ConsoleSize != nil {
			changes["consoleSize"] = *o.ConsoleSize
		}
	}
	if len(o.Env) > 0 || len(env) != before {
		changes["env"] = env
	}
	if o.Cwd != "" {
		changes["cwd"] = filepath.Clean(o.Cwd)
	}
	if o.User != "" {
		if changes["user"], err = lookUpUser(rootfs, o.User); err != nil {
			return nil, err
		}
	}
	if len(o.Ulimits) > 0 {
		var limits []json.RawMessage
		if _, err := process.get("rlimits", &limits); err != nil {
			return nil, err
		}
		if changes["rlimits"], err = mergeUlimits(limits, o.Ulimits); err != nil {
			return nil, err
		}
	}
	if o.OOMScoreAdj != nil {
		changes["oomScoreAdj"] = *o.OOMScoreAdj
	}
	if o.NoNewPrivileges != nil {
		changes["noNewPrivileges"] = *o.NoNewPrivileges
	}
	return changes, nil
}

// mergeEnv adds variables. Of those with one name the last counts, at the place of the
// first: with two of a name, which one a program sees depends on runtime and program.
func mergeEnv(env, more []string) []string {
	at := map[string]int{}
	var merged []string
	for _, e := range slices.Concat(env, more) {
		name, _, _ := strings.Cut(e, "=")
		if i, ok := at[name]; ok {
			merged[i] = e
			continue
		}
		at[name] = len(merged)
		merged = append(merged, e)
	}
	return merged
}

func hasEnv(env []string, name string) bool {
	return slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
}

// linux returns the changes to the resource limits.
func (o *Options) linux() patch {
	resources := patch{}
	if o.MemoryBytes != 0 {
		resources["memory"] = patch{"limit": o.MemoryBytes}
	}
	if o.CPUs != 0 {
		resources["cpu"] = patch{"period": cpuPeriod, "quota": int64(math.Round(o.CPUs * cpuPeriod))}
	}
	if o.PidsLimit != 0 {
		resources["pids"] = patch{"limit": o.PidsLimit}
	}
	return patch{"resources": resources}
}

// checkMemory checks what the kernel refuses without a reason.
func checkMemory(spec *object) error {
	var linux struct {
		Resources struct {
			Memory struct{ Limit, Swap int64 }
		}
	}
	if _, err := spec.get("linux", &linux); err != nil {
		return err
	}
	m := linux.Resources.Memory
	const what = "linux.resources.memory.swap is %d bytes: it limits memory and swap together, and "
	switch {
	case m.Swap > 0 && m.Limit <= 0:
		return fmt.Errorf(what+"does not go without a memory limit; give one of at most that", m.Swap)
	case m.Swap > 0 && m.Swap < m.Limit:
		return fmt.Errorf(what+"cannot be below the memory limit of %d bytes; correct the bundle, or give a lower memory limit", m.Swap, m.Limit)
	}
	return nil
}

// mounts returns all mounts. An added one takes the place of those of the spec at its
// destination; otherwise it comes before those below it, if there are any. So none hides
// another.
func (o *Options) mounts(spec *object) ([]json.RawMessage, error) {
	added := slices.Clone(o.Mounts)
	for i, m := range added {
		added[i].Destination = filepath.Clean(m.Destination)
		if m.Type == TypeVolume {
			return nil, fmt.Errorf("volume %q at %s: no runtime knows volumes; only a host can mount it", m.Source, m.Destination)
		}
		if !isBind(m.Type, m.Options) {
			continue
		}
		if _, err := os.Stat(m.Source); err != nil {
			return nil, fmt.Errorf("mount source %q: %w; create it first", m.Source, reason(err))
		}
	}
	slices.SortStableFunc(added, func(a, b specs.Mount) int {
		return cmp.Compare(strings.Count(a.Destination, "/"), strings.Count(b.Destination, "/"))
	})
	var mounts []json.RawMessage
	if _, err := spec.get("mounts", &mounts); err != nil {
		return nil, err
	}
	for _, m := range added {
		raw, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		mounts = place(mounts, m.Destination, raw)
	}
	return mounts, nil
}

// place puts a mount among others.
func place(mounts []json.RawMessage, destination string, added json.RawMessage) []json.RawMessage {
	at := func(raw json.RawMessage) string {
		var m specs.Mount
		_ = json.Unmarshal(raw, &m) // checked when the spec was read
		return filepath.Clean(m.Destination)
	}
	same := func(raw json.RawMessage) bool { return at(raw) == destination }
	i := slices.IndexFunc(mounts, same)
	if i < 0 {
		i = slices.IndexFunc(mounts, func(raw json.RawMessage) bool { return strings.HasPrefix(at(raw), destination+"/") })
	}
	if i < 0 {
		i = len(mounts)
	}
	return slices.Insert(slices.DeleteFunc(mounts, same), i, added)
}
