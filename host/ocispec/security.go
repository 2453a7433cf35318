package ocispec

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/linux"
)

// MaxSeccomp bounds a seccomp profile, in bytes. Docker's has 15 thousand.
const MaxSeccomp = 512 << 10

// ApplySecurityOpt sets in o what a security option as docker has it says:
// no-new-privileges[=BOOL] or seccomp=builtin|unconfined|FILE. It reads the file.
func (o *Options) ApplySecurityOpt(value string) error {
	name, val, hasValue := strings.Cut(value, "=")
	if !hasValue {
		name, val, hasValue = strings.Cut(value, ":") // as docker once wrote it
	}
	switch {
	case name == "no-new-privileges":
		on := true
		if hasValue {
			var err error
			if on, err = strconv.ParseBool(val); err != nil {
				return invalid("security option %q: %q is neither true nor false", value, val)
			}
		}
		o.NoNewPrivileges = &on
	case name == "seccomp" && val != "":
		text, err := ReadSeccomp(val)
		if err != nil {
			return err
		}
		o.Seccomp = text
	default:
		return invalid("security option %q is not known; use no-new-privileges, seccomp=unconfined, seccomp=builtin or seccomp=FILE", value)
	}
	return nil
}

// ReadSeccomp returns what [Options].Seccomp holds for a value of a user's: a word, or
// the name of a file with a profile.
func ReadSeccomp(value string) (string, error) {
	if value == SeccompBuiltin || value == SeccompUnconfined {
		return value, nil
	}
	text, err := linux.ReadFile(value, MaxSeccomp)
	if err != nil {
		return "", invalid("seccomp profile %q: %w; give a file, %q or %q", value, reason(err), SeccompUnconfined, SeccompBuiltin)
	}
	if !json.Valid(text) {
		return "", invalid("seccomp profile %q is no JSON document", value)
	}
	return string(text), nil
}
