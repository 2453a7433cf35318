package containerd

import (
	"encoding/json"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
)

// specURL is the type by which containerd knows an OCI spec in JSON.
const specURL = "types.containerd.io/opencontainers/runtime-spec/1/Spec"

// workloadSpec is a checked spec, ready for containerd.
type workloadSpec struct {
	json     json.RawMessage
	terminal bool
}

// prepareSpec checks of a spec what would otherwise fail late or with an obscure
// message, and gives it a cgroup if it names none. What it does not know passes
// through untouched.
func prepareSpec(spec json.RawMessage, cgroup string) (workloadSpec, error) {
	if len(spec) > executor.MaxSpecSize {
		return workloadSpec{}, executor.Errorf(executor.Invalid, "spec has %d bytes, at most %d are allowed", len(spec), executor.MaxSpecSize)
	}
	var s struct {
		Version string `json:"ociVersion"`
		Root    *struct {
			Path string `json:"path"`
		} `json:"root"`
		Process *struct {
			Terminal bool     `json:"terminal"`
			Args     []string `json:"args"`
		} `json:"process"`
		Linux *struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(spec, &s); err != nil {
		return workloadSpec{}, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	switch {
	case s.Version == "":
		return workloadSpec{}, executor.Errorf(executor.Invalid, "spec has no ociVersion")
	case s.Root == nil || s.Root.Path == "":
		return workloadSpec{}, executor.Errorf(executor.Invalid, "spec has no root.path")
	case !filepath.IsAbs(s.Root.Path):
		return workloadSpec{}, executor.Errorf(executor.Invalid, "spec's root.path %q is not absolute", s.Root.Path)
	case s.Process == nil || len(s.Process.Args) == 0:
		return workloadSpec{}, executor.Errorf(executor.Invalid, "spec has no process.args")
	}
	w := workloadSpec{json: spec, terminal: s.Process.Terminal}
	if s.Linux != nil && s.Linux.CgroupsPath != "" {
		return w, nil
	}
	var err error
	w.json, err = setCgroupsPath(spec, cgroup)
	return w, err
}

// setCgroupsPath works on the JSON, so that fields which this program does not
// know survive.
func setCgroupsPath(spec json.RawMessage, cgroup string) (json.RawMessage, error) {
	var top, linux map[string]json.RawMessage
	err := json.Unmarshal(spec, &top)
	if err == nil && len(top["linux"]) > 0 {
		err = json.Unmarshal(top["linux"], &linux)
	}
	if linux == nil {
		linux = make(map[string]json.RawMessage)
	}
	if err == nil {
		linux["cgroupsPath"], err = json.Marshal(cgroup)
	}
	if err == nil {
		top["linux"], err = json.Marshal(linux)
	}
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	return json.Marshal(top)
}

// stdioPaths gives the streams as containerd's shims take them. A shim opens a
// plain path of an existing file for appending, and a FIFO as such.
func stdioPaths(s executor.Stdio, terminal bool) (stdin, stdout, stderr string, err error) {
	for _, v := range []struct {
		name string
		executor.Stream
		to *string
	}{{"stdin", s.Stdin, &stdin}, {"stdout", s.Stdout, &stdout}, {"stderr", s.Stderr, &stderr}} {
		switch {
		case v.Kind == executor.StreamNull:
		case v.Kind != executor.StreamFile && v.Kind != executor.StreamFIFO:
			return "", "", "", executor.Errorf(executor.Invalid, "%s: stream kind %q is not known", v.name, v.Kind)
		case v.Kind == executor.StreamFile && v.name == "stdin":
			return "", "", "", executor.Errorf(executor.Unsupported, "stdin from a file is not supported; use a fifo")
		case !filepath.IsAbs(v.Path):
			return "", "", "", executor.Errorf(executor.Invalid, "%s: path %q is not absolute", v.name, v.Path)
		default:
			*v.to = v.Path
		}
	}
	if terminal {
		// A terminal has one stream of output.
		stderr = ""
		return stdin, stdout, stderr, nil
	}
	if stdout != "" && stdout == stderr {
		// Given one path twice, shims (seen up to containerd 2.4) open the file
		// once and close it when the first stream ends: one run in twenty loses
		// the end of the other. Two spellings are opened apart, for appending.
		stderr = filepath.Dir(stdout) + "/./" + filepath.Base(stdout)
	}
	// Shims take no output at all, or both streams.
	if stdout == "" && stderr != "" {
		stdout = "/dev/null"
	}
	if stderr == "" && stdout != "" {
		stderr = "/dev/null"
	}
	if stdin != "" && stdout == "" {
		stdout, stderr = "/dev/null", "/dev/null"
	}
	return stdin, stdout, stderr, nil
}
