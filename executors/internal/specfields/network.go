package specfields

import (
	"encoding/json"
	"slices"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/honoured"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// namespaces is the field with the namespaces.
const namespaces = "linux.namespaces"

// Network returns what a workload's spec asks for as its network namespace: the path of one,
// or, in alone, that its user has asked for one without a network. That the namespace is a new
// one is asked for by every container's spec, and says nothing. Nothing is returned of what is
// to be ignored.
func Network(w executor.Workload, ignore []string) (path string, alone bool, err error) {
	var spec struct {
		Annotations map[string]string `json:"annotations"`
		Linux       struct {
			Namespaces []specs.LinuxNamespace `json:"namespaces"`
		} `json:"linux"`
	}
	if json.Unmarshal(w.Spec, &spec) != nil || spec.Annotations[executor.AnnotationNetwork] == executor.NetworkUnasked || slices.Contains(ignore, "linux") || slices.Contains(ignore, namespaces) {
		return "", false, nil // Sift says what is wrong with it
	}
	found := false
	for _, n := range spec.Linux.Namespaces {
		if n.Type != specs.NetworkNamespace {
			continue
		}
		if found {
			return "", false, executor.Errorf(executor.Invalid, "spec's linux.namespaces has more than one network")
		}
		found, path = true, n.Path
	}
	return path, found && path == "" && spec.Annotations[executor.AnnotationNetwork] == executor.NetworkAlone, nil
}

// takeNetwork leaves only the network namespace in a list of namespaces, a member of object,
// and returns the others.
func takeNetwork(object map[string]any, name string) (others any) {
	list, ok := object[name].([]any)
	if !ok {
		return object[name]
	}
	isNetwork := func(v any) bool {
		n, ok := v.(map[string]any)
		return ok && n["type"] == string(specs.NetworkNamespace)
	}
	rest := slices.DeleteFunc(slices.Clone(list), isNetwork)
	object[name] = slices.DeleteFunc(slices.Clone(list), func(v any) bool { return !isNetwork(v) })
	return rest
}

// EtcMounts returns the mounts by which a workload's spec gets the files that the host has made
// for it, such as /etc/hosts.
func EtcMounts(w executor.Workload) (mounts []specs.Mount) {
	var spec struct {
		Mounts []specs.Mount `json:"mounts"`
	}
	if json.Unmarshal(w.Spec, &spec) != nil {
		return nil
	}
	for _, m := range spec.Mounts {
		if honoured.IsUsualFile(w.Ref.ID, m.Destination, m.Source) {
			mounts = append(mounts, m)
		}
	}
	return mounts
}
