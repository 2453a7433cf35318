package ocispec

import (
	"encoding/json"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// changePrivileged removes what separates the container from the machine's kernel, except
// for its namespaces: hidden and read-only files of the kernel, and the control of
// devices. Capabilities are changed with the others.
func (o *Options) changePrivileged(spec *object, _ string) error {
	if !o.Privileged {
		return nil
	}
	devices, err := machineDevices()
	if err != nil {
		return err
	}
	err = spec.merge(patch{"linux": patch{
		"maskedPaths":   []string{},
		"readonlyPaths": []string{},
		"devices":       devices,
		"resources":     patch{"devices": []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}},
	}})
	if err != nil {
		return err
	}
	var mounts []json.RawMessage
	if _, err := spec.get("mounts", &mounts); err != nil {
		return err
	}
	for i, raw := range mounts {
		var m specs.Mount
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		if m.Type != "sysfs" && m.Type != "cgroup" {
			continue
		}
		m.Options = slices.DeleteFunc(m.Options, func(option string) bool { return option == "ro" })
		if mounts[i], err = json.Marshal(m); err != nil {
			return err
		}
	}
	return spec.set("mounts", mounts)
}
