// Package seccomp puts into a spec which system calls a container may make.
//
// The builtin profile is docker's, from docker's own package: what runs there runs here.
// It depends on the capabilities, the kernel and the architecture, and so is made for
// each spec. A profile of a user's may be in docker's form or in that of the OCI spec,
// which is a part of it.
//
// # Rationale
//
// Why is this no part of package ocispec? That package is linked into programs that only
// talk to a host, and these should not depend on the profiles.
//
// Why are names refused that docker does not know either? The words of actions and
// operators are checked here, since some runtimes take unknown ones for others, and the
// error of a runtime names no place.
package seccomp

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Apply sets linux.seccomp in a spec as profile says, which is an Options.Seccomp.
// Everything else in the spec stays.
func Apply(spec json.RawMessage, profile string) (json.RawMessage, error) {
	var top, linux map[string]json.RawMessage
	var read specs.Spec
	err := json.Unmarshal(spec, &top)
	if err == nil {
		err = json.Unmarshal(spec, &read)
	}
	if err == nil && len(top["linux"]) > 0 {
		err = json.Unmarshal(top["linux"], &linux)
	}
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	rules, err := expand(profile, &read)
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "seccomp profile: %w", err)
	}
	if linux == nil {
		linux = map[string]json.RawMessage{}
	}
	delete(linux, "seccomp")
	if rules != nil {
		if linux["seccomp"], err = json.Marshal(rules); err != nil {
			return nil, err
		}
	}
	if top["linux"], err = json.Marshal(linux); err != nil {
		return nil, err
	}
	return json.Marshal(top)
}

// expand returns the rules of a profile for a spec, nil if all is allowed.
func expand(profile string, spec *specs.Spec) (*specs.LinuxSeccomp, error) {
	if spec.Process == nil {
		spec.Process = &specs.Process{}
	}
	if spec.Process.Capabilities == nil {
		spec.Process.Capabilities = &specs.LinuxCapabilities{}
	}
	switch profile {
	case ocispec.SeccompUnconfined:
		return nil, nil
	case ocispec.SeccompBuiltin:
		return seccomp.GetDefaultProfile(spec)
	}
	rules, err := seccomp.LoadProfile(profile, spec)
	if err != nil {
		return nil, err
	}
	if rules == nil || rules.DefaultAction == "" {
		return nil, fmt.Errorf(`it has no "defaultAction"; to allow everything, write seccomp=%s`, ocispec.SeccompUnconfined)
	}
	return rules, check(rules)
}

// check refuses actions and operators that nobody knows.
func check(rules *specs.LinuxSeccomp) error {
	if err := checkAction(rules.DefaultAction); err != nil {
		return fmt.Errorf(`"defaultAction": %w`, err)
	}
	for i, call := range rules.Syscalls {
		what := strings.Join(call.Names, ", ")
		if what == "" {
			return fmt.Errorf(`entry %d of "syscalls" names none`, i+1)
		}
		if err := checkAction(call.Action); err != nil {
			return fmt.Errorf("%.60s: %w", what, err)
		}
		for _, arg := range call.Args {
			if !slices.Contains(operators(), arg.Op) || arg.Index > 5 {
				return fmt.Errorf("%.60s: a condition has the operator %q for argument %d; use one of %s for 0 to 5", what, arg.Op, arg.Index, join(operators()))
			}
		}
	}
	return nil
}

func checkAction(action specs.LinuxSeccompAction) error {
	if !slices.Contains(actions(), action) {
		return fmt.Errorf("action %q is not known; use one of %s", action, join(actions()))
	}
	return nil
}

func actions() []specs.LinuxSeccompAction {
	return []specs.LinuxSeccompAction{
		specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActKillThread,
		specs.ActLog, specs.ActNotify, specs.ActTrace, specs.ActTrap,
	}
}

func operators() []specs.LinuxSeccompOperator {
	return []specs.LinuxSeccompOperator{
		specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpMaskedEqual,
	}
}

func join[S ~string](list []S) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}
