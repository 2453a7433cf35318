package ocispec

import (
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// ParseVolume parses SOURCE:TARGET[:OPTIONS]: a bind mount if SOURCE is a path, and
// otherwise the volume of that name. TARGET alone is a new volume without a name. Options
// are ro, rw and, for volumes, nocopy. A relative path is resolved against the working
// directory. It must begin with a dot, so that it is not taken for a name.
func ParseVolume(value string) (specs.Mount, error) {
	what := fmt.Sprintf("volume %q", value)
	parts := strings.Split(value, ":")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return specs.Mount{}, invalid("%s is not of the form SOURCE:TARGET, SOURCE:TARGET:ro or TARGET", what)
	}
	if len(parts) == 1 {
		return volume(what, "", value)
	}
	source, path := parts[0], isPath(parts[0])
	mode, noCopy := "", ""
	if len(parts) == 3 {
		for option := range strings.SplitSeq(parts[2], ",") {
			switch {
			case option == OptionNoCopy && path:
				return specs.Mount{}, invalid("%s: nothing is copied into a directory of the machine; %s is for volumes with a name", what, option)
			case option == OptionNoCopy:
				noCopy = option
				continue
			case option != "ro" && option != "rw":
				return specs.Mount{}, invalid("%s: option %q is not known; use ro, rw or %s", what, option, OptionNoCopy)
			case mode != "" && mode != option:
				return specs.Mount{}, invalid("%s is both ro and rw; use one of them", what)
			}
			mode = option
		}
	}
	switch {
	case path:
		return bind(what, source, parts[1], "rprivate", mode == "ro")
	case strings.ContainsRune(source, filepath.Separator):
		return specs.Mount{}, invalid("%s: %q is neither the name of a volume nor a path that begins with / or .; for a directory write %q", what, source, "./"+source)
	}
	return volume(what, source, parts[1], mode, noCopy)
}

// ParseMount parses type=bind,source=PATH,target=PATH[,readonly][,bind-propagation=MODE],
// type=volume[,source=NAME],target=PATH[,readonly][,volume-nocopy] or
// type=tmpfs,target=PATH[,tmpfs-size=SIZE][,tmpfs-mode=OCTAL][,readonly]. A field with a
// comma is in double quotes. A relative source is resolved against the working directory.
func ParseMount(value string) (specs.Mount, error) {
	what := fmt.Sprintf("mount %q", value)
	fields, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil || strings.ContainsAny(value, "\r\n") {
		return specs.Mount{}, invalid("%s is not a list of KEY=VALUE with commas between them", what)
	}
	set := map[string]string{}
	for _, field := range fields {
		key, val, hasValue := strings.Cut(strings.TrimSpace(field), "=")
		name := mountKey(key)
		switch {
		case name == "":
			return specs.Mount{}, invalid("%s: key %q is not known; use type, source, target, readonly, bind-propagation, volume-nocopy, tmpfs-size or tmpfs-mode", what, key)
		case !hasValue && (name == "readonly" || name == "volume-nocopy"):
			val = "true"
		case val == "":
			return specs.Mount{}, invalid("%s: %s has no value", what, key)
		}
		if _, ok := set[name]; ok {
			return specs.Mount{}, invalid("%s: %s is set twice", what, key)
		}
		set[name] = val
	}
	if set["target"] == "" {
		return specs.Mount{}, invalid("%s has no target; add target=PATH", what)
	}
	is := map[string]bool{}
	for _, key := range []string{"readonly", "volume-nocopy"} {
		if val, ok := set[key]; ok {
			if is[key], err = strconv.ParseBool(val); err != nil {
				return specs.Mount{}, invalid("%s: %s=%s is neither true nor false", what, key, val)
			}
		}
	}
	readOnly := is["readonly"]
	var others []string
	switch set["type"] {
	case "bind":
		others = []string{"tmpfs-size", "tmpfs-mode", "volume-nocopy"}
	case "tmpfs":
		others = []string{"source", "bind-propagation", "volume-nocopy"}
	case TypeVolume:
		others = []string{"bind-propagation", "tmpfs-size", "tmpfs-mode"}
	case "":
		return specs.Mount{}, invalid("%s has no type; add type=bind, type=volume or type=tmpfs", what)
	default:
		return specs.Mount{}, invalid("%s: type %q is not supported; use bind, volume or tmpfs", what, set["type"])
	}
	for _, key := range others {
		if _, ok := set[key]; ok {
			return specs.Mount{}, invalid("%s: %s does not go with type=%s", what, key, set["type"])
		}
	}
	switch set["type"] {
	case "tmpfs":
		return tmpfs(what, set, readOnly)
	case TypeVolume:
		ro, noCopy := "", ""
		if readOnly {
			ro = "ro"
		}
		if is["volume-nocopy"] {
			noCopy = OptionNoCopy
		}
		return volume(what, set["source"], set["target"], ro, noCopy)
	}
	if set["source"] == "" {
		return specs.Mount{}, invalid("%s has no source; add source=PATH", what)
	}
	propagation := set["bind-propagation"]
	if propagation == "" {
		propagation = "rprivate"
	}
	return bind(what, set["source"], set["target"], propagation, readOnly)
}

// mountKey returns the name of a key for any of its spellings, or "".
func mountKey(key string) string {
	switch key = strings.ToLower(key); key {
	case "src":
		return "source"
	case "destination", "dst":
		return "target"
	case "ro":
		return "readonly"
	case "type", "source", "target", "readonly", "bind-propagation", "volume-nocopy", "tmpfs-size", "tmpfs-mode":
		return key
	}
	return ""
}

// bind returns a bind mount. It includes mounts below the source; readOnly, as
// everywhere, applies to the source alone.
func bind(what, source, target, propagation string, readOnly bool) (specs.Mount, error) {
	abs, err := filepath.Abs(source)
	if err != nil {
		return specs.Mount{}, invalid("%s: source cannot be resolved: %w; write an absolute path", what, err)
	}
	if modes := []string{"private", "rprivate", "shared", "rshared", "slave", "rslave"}; !slices.Contains(modes, propagation) {
		return specs.Mount{}, invalid("%s: bind-propagation %q is not known; use one of %s", what, propagation, strings.Join(modes, ", "))
	}
	m := specs.Mount{Type: "bind", Source: abs, Destination: filepath.Clean(target), Options: []string{"rbind", propagation}}
	if readOnly {
		m.Options = append(m.Options, "ro")
	}
	return checked(what, m)
}

func tmpfs(what string, set map[string]string, readOnly bool) (specs.Mount, error) {
	m := specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: filepath.Clean(set["target"]), Options: []string{"nosuid", "noexec", "nodev"}}
	if val, ok := set["tmpfs-size"]; ok {
		size, err := parseSize(val)
		if err != nil || size == 0 {
			return specs.Mount{}, invalid("%s: tmpfs-size %q is not a size; write it like 64m", what, val)
		}
		m.Options = append(m.Options, "size="+strconv.FormatInt(size, 10))
	}
	if val, ok := set["tmpfs-mode"]; ok {
		mode, err := strconv.ParseUint(val, 8, 32)
		if err != nil || mode > 0o7777 {
			return specs.Mount{}, invalid("%s: tmpfs-mode %q is not an octal mode; write it like 1777", what, val)
		}
		m.Options = append(m.Options, fmt.Sprintf("mode=%04o", mode))
	}
	if readOnly {
		m.Options = append(m.Options, "ro")
	}
	return checked(what, m)
}

// ParseTmpfs parses TARGET[:OPTIONS], a tmpfs with options of mount(8) such as
// size=64m,mode=1777. Nosuid, nodev and noexec hold unless the options say otherwise.
func ParseTmpfs(value string) (specs.Mount, error) {
	target, options, _ := strings.Cut(value, ":")
	what := fmt.Sprintf("tmpfs %q", value)
	m := specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: filepath.Clean(target)}
	opposite := map[string]string{"nosuid": "suid", "nodev": "dev", "noexec": "exec"}
	var given []string
	for option := range strings.SplitSeq(options, ",") {
		if options == "" {
			break
		}
		name, val, _ := strings.Cut(option, "=")
		switch name {
		case "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "noatime", "nodiratime", "relatime", "strictatime", "sync", "async":
			if name != option {
				return m, invalid("%s: option %s has no value", what, name)
			}
		case "size", "nr_blocks", "nr_inodes":
			if size, err := parseSize(val); err != nil || size == 0 {
				return m, invalid("%s: %s %q is not a size; write it like 64m", what, name, val)
			}
		case "mode":
			if mode, err := strconv.ParseUint(val, 8, 32); err != nil || mode > 0o7777 {
				return m, invalid("%s: mode %q is not an octal mode; write it like 1777", what, val)
			}
		case "uid", "gid":
			if id, err := strconv.Atoi(val); err != nil || id < 0 || id > maxID {
				return m, invalid("%s: %s %q is not a number from 0 to %d", what, name, val, maxID)
			}
		default:
			return m, invalid("%s: option %q is not known; use those of tmpfs(5), such as size=64m or mode=1777", what, option)
		}
		given = append(given, option)
	}
	for _, option := range []string{"noexec", "nosuid", "nodev"} {
		if !slices.Contains(given, option) && !slices.Contains(given, opposite[option]) {
			m.Options = append(m.Options, option)
		}
	}
	m.Options = append(m.Options, given...)
	if target == "" {
		return m, invalid("%s is not of the form TARGET[:OPTIONS], such as /run:size=64m", what)
	}
	return checked(what, m)
}

// checked returns a mount after the checks that Options will make later.
func checked(what string, m specs.Mount) (specs.Mount, error) {
	if err := validateMount(m); err != nil {
		return specs.Mount{}, invalid("%s: %w", what, err)
	}
	return m, nil
}

// ParseMemory parses a memory limit such as 512m or 1.5GiB, in powers of 1024, and returns
// it in bytes. A number alone is in bytes.
func ParseMemory(value string) (int64, error) {
	size, err := parseSize(value)
	switch {
	case err != nil:
		return 0, invalid("memory %q is not a size; write a number with b, k, m or g, such as 512m", value)
	case size < MinMemory:
		return 0, invalid("memory %q is too small, at least 6m are needed", value)
	}
	return size, nil
}

// parseSize parses a size, in powers of 1024, and returns it in bytes.
func parseSize(value string) (int64, error) {
	const most = 1 << 60
	size, err := units.RAMInBytes(value)
	if err == nil && (size < 0 || size > most) {
		err = fmt.Errorf("size %q is out of range", value)
	}
	return size, err
}

// ParseCPUs parses a number of CPUs such as 0.5 or 2.
func ParseCPUs(value string) (float64, error) {
	cpus, err := strconv.ParseFloat(value, 64)
	if err != nil || !(cpus >= minCPUs && cpus <= maxCPUs) {
		return 0, invalid("cpus %q is not a number from %v to %v; write it like 1.5", value, minCPUs, maxCPUs)
	}
	return cpus, nil
}

// ParseEnv parses NAME=VALUE, or NAME, whose value lookUp returns. For a NAME that is not
// set it returns "", and the caller leaves the variable out, as docker does.
func ParseEnv(value string, lookUp func(string) (string, bool)) (string, error) {
	name, _, ok := strings.Cut(value, "=")
	if name == "" || strings.ContainsRune(value, 0) {
		return "", invalid("environment variable %q is not of the form NAME=VALUE or NAME", value)
	}
	if !ok {
		found, set := lookUp(name)
		if !set {
			return "", nil
		}
		value = name + "=" + found
	}
	if err := checkText("environment variable", value); err != nil {
		return "", err
	}
	return value, nil
}
