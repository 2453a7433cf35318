package ocispec

import (
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// parseDeviceRule parses TYPE MAJOR:MINOR ACCESS, as docker has it: the type is a (all), b
// (block) or c (character), a number may be *, and access is some of rwm.
func parseDeviceRule(rule string) (specs.LinuxDeviceCgroup, error) {
	r := specs.LinuxDeviceCgroup{Allow: true}
	fail := func() (specs.LinuxDeviceCgroup, error) {
		return r, invalid("device rule %q is not of the form TYPE MAJOR:MINOR ACCESS, such as 'c 10:200 rwm' or 'b 8:* r'", rule)
	}
	words := strings.Split(rule, " ")
	if len(words) != 3 || len(words[0]) != 1 || !strings.Contains("abc", words[0]) || !isAccess(words[2]) {
		return fail()
	}
	major, minor, _ := strings.Cut(words[1], ":")
	for text, to := range map[*string]**int64{&major: &r.Major, &minor: &r.Minor} {
		if *text == "*" {
			continue
		}
		n, err := strconv.ParseUint(*text, 10, 31)
		if err != nil {
			return fail()
		}
		*to = new(int64(n))
	}
	r.Type, r.Access = words[0], words[2]
	return r, nil
}

// CheckDeviceRule checks a rule of [Options].
func CheckDeviceRule(rule string) error {
	_, err := parseDeviceRule(rule)
	return err
}

func (o *Options) validateDeviceRules() error {
	for _, rule := range o.DeviceRules {
		if err := CheckDeviceRule(rule); err != nil {
			return err
		}
	}
	return nil
}

// changeDeviceRules adds what the container may do with devices, whether it has files of them
// or makes them.
func (o *Options) changeDeviceRules(spec *object, _ string) error {
	if len(o.DeviceRules) == 0 {
		return nil
	}
	return spec.edit(func(resources *object) error {
		var rules []specs.LinuxDeviceCgroup
		if _, err := resources.get("devices", &rules); err != nil {
			return err
		}
		for _, text := range o.DeviceRules {
			rule, err := parseDeviceRule(text)
			if err != nil {
				return err
			}
			rules = append(rules, rule)
		}
		return resources.set("devices", rules)
	}, "linux", "resources")
}
