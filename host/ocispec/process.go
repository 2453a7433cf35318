package ocispec

import (
	"encoding/json"
	"fmt"

	"github.com/davit-run/davit/shared/executor"
)

// Process returns the process object of a further process in a container with a spec. It is
// the container's, changed by what o says about processes: the rest of o is ignored. Args
// are required. A user is looked up in the container's root file system as it is now.
func Process(spec json.RawMessage, o Options) (json.RawMessage, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if len(o.Args) == 0 {
		return nil, invalid("there is no command to run; give one")
	}
	raw, err := o.furtherProcess(spec)
	if err != nil {
		return nil, invalid("%w", err)
	}
	if len(raw) > executor.MaxSpecSize {
		return nil, invalid("the process has %d bytes, at most %d are allowed", len(raw), executor.MaxSpecSize)
	}
	return raw, nil
}

func (o *Options) furtherProcess(raw json.RawMessage) (json.RawMessage, error) {
	spec, err := parseObject(raw, "")
	if err != nil {
		return nil, err
	}
	root, err := spec.object("root")
	if err != nil {
		return nil, err
	}
	var rootfs string
	if _, err := root.get("path", &rootfs); err != nil {
		return nil, err
	}
	if rootfs == "" && o.User != "" {
		return nil, fmt.Errorf("a user cannot be looked up: the container's spec has no root file system")
	}
	changes, err := o.process(spec, rootfs)
	if err != nil {
		return nil, err
	}
	if err := spec.merge(patch{"process": changes}); err != nil {
		return nil, err
	}
	if err := o.changeCapabilities(spec, rootfs); err != nil {
		return nil, err
	}
	process, err := spec.object("process")
	if err != nil {
		return nil, err
	}
	return json.Marshal(process)
}
