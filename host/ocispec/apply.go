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

// apply puts o and the absolute path of the rootfs into a spec, and gives the
// spec's bytes.
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
	raw, err := json.Marshal(spec)
	if err == nil && len(raw) > executor.MaxSpecSize {
		err = fmt.Errorf("the spec has %d bytes, at most %d are allowed", len(raw), executor.MaxSpecSize)
	}
	return raw, err
}

// process gives the changes to the process.
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
	for _, e := range o.Env {
		env = setEnv(env, e)
	}
	if o.Terminal != nil {
		changes["terminal"] = *o.Terminal
		if *o.Terminal && indexEnv(env, "TERM") < 0 {
			env = append(env, "TERM=xterm")
		}
	}
	if len(o.Env) > 0 || len(env) > before {
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
	return changes, nil
}

func setEnv(env []string, e string) []string {
	name, _, _ := strings.Cut(e, "=")
	if i := indexEnv(env, name); i >= 0 {
		env[i] = e
		return env
	}
	return append(env, e)
}

func indexEnv(env []string, name string) int {
	return slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
}

// linux gives the changes to the resource limits.
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
	if len(resources) == 0 {
		return nil
	}
	return patch{"resources": resources}
}

// mounts gives all mounts, the added ones last and outer ones before inner ones,
// so that none hides another.
func (o *Options) mounts(spec *object) ([]json.RawMessage, error) {
	added := slices.Clone(o.Mounts)
	for i, m := range added {
		added[i].Destination = filepath.Clean(m.Destination)
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
	mounts = slices.DeleteFunc(mounts, func(raw json.RawMessage) bool {
		var m specs.Mount
		err := json.Unmarshal(raw, &m)
		return err == nil && slices.ContainsFunc(added, func(a specs.Mount) bool { return a.Destination == filepath.Clean(m.Destination) })
	})
	for _, m := range added {
		raw, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, raw)
	}
	return mounts, nil
}
