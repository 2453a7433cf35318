package ocispec

import (
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
	return spec.changeMounts(func(m *specs.Mount) (changed, keep bool) {
		if m.Type != "sysfs" && m.Type != "cgroup" {
			return false, true
		}
		m.Options = slices.DeleteFunc(m.Options, func(option string) bool { return option == "ro" })
		return true, true
	})
}
