package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// instructions are those of a Dockerfile that change only the config of an image.
var instructions = map[string]func(c *v1.ImageConfig, rest string) error{
	"CMD":        func(c *v1.ImageConfig, rest string) (err error) { c.Cmd, err = command(rest); return err },
	"ENTRYPOINT": func(c *v1.ImageConfig, rest string) (err error) { c.Entrypoint, err = command(rest); return err },
	"ENV":        setEnv,
	"EXPOSE":     expose,
	"LABEL":      setLabel,
	"STOPSIGNAL": setStopSignal,
	"USER":       func(c *v1.ImageConfig, rest string) error { c.User = rest; return nil },
	"VOLUME":     addVolumes,
	"WORKDIR": func(c *v1.ImageConfig, rest string) error {
		if !path.IsAbs(rest) {
			rest = path.Join("/", c.WorkingDir, rest)
		}
		c.WorkingDir = path.Clean(rest)
		return nil
	},
}

// ChangeAll changes the config of an image by instructions of a Dockerfile, such as
// `CMD ["sh"]`. ENV and LABEL take one NAME=VALUE, whose value is the rest as it is.
func ChangeAll(c *v1.ImageConfig, instructions []string) error {
	for _, instruction := range instructions {
		if err := change(c, instruction); err != nil {
			return err
		}
	}
	return nil
}

func change(c *v1.ImageConfig, instruction string) error {
	name, rest, _ := strings.Cut(strings.TrimSpace(instruction), " ")
	apply, ok := instructions[strings.ToUpper(name)]
	if !ok {
		return invalid("change %q: %q is no instruction that can be applied here; there are CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR", instruction, name)
	}
	rest = strings.TrimSpace(rest)
	var err error
	if rest == "" {
		err = errors.New("it has no value")
	} else {
		err = apply(c, rest)
	}
	if err != nil {
		return executor.Errorf(executor.Invalid, "change %q: %w", instruction, err)
	}
	return nil
}

// words returns the strings of a JSON array, and false for what is none.
func words(rest string) ([]string, bool, error) {
	if !strings.HasPrefix(rest, "[") {
		return nil, false, nil
	}
	var list []string
	if err := json.Unmarshal([]byte(rest), &list); err != nil {
		return nil, false, fmt.Errorf("it is no JSON array of strings, such as [\"sh\", \"-c\", \"true\"]: %w", err)
	}
	return list, true, nil
}

// command returns a command in one of its two forms: a JSON array, or a line for a shell.
func command(rest string) ([]string, error) {
	list, ok, err := words(rest)
	if err == nil && !ok {
		list = []string{"/bin/sh", "-c", rest}
	}
	return list, err
}

// assignment returns the parts of NAME=VALUE, or NAME VALUE.
func assignment(rest string) (name, value string, err error) {
	at := strings.IndexAny(rest, "= ")
	if at <= 0 {
		return "", "", fmt.Errorf("it is not NAME=VALUE")
	}
	name, value = rest[:at], rest[at+1:]
	if unquoted, err := strconv.Unquote(value); err == nil && strings.HasPrefix(value, `"`) {
		value = unquoted
	}
	return name, value, nil
}

func setEnv(c *v1.ImageConfig, rest string) error {
	name, value, err := assignment(rest)
	if err != nil {
		return err
	}
	c.Env = slices.DeleteFunc(c.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	c.Env = append(c.Env, name+"="+value)
	return nil
}

func setLabel(c *v1.ImageConfig, rest string) error {
	name, value, err := assignment(rest)
	if err != nil {
		return err
	}
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	c.Labels[name] = value
	return nil
}

func setStopSignal(c *v1.ImageConfig, rest string) error {
	_, err := api.ParseSignal(rest)
	c.StopSignal = rest
	return err
}

func expose(c *v1.ImageConfig, rest string) error {
	for port := range strings.FieldsSeq(rest) {
		number, protocol, ok := strings.Cut(port, "/")
		if !ok {
			protocol = "tcp"
		}
		if n, err := strconv.ParseUint(number, 10, 16); err != nil || n == 0 || !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
			return fmt.Errorf("%q is no port, such as 80 or 53/udp", port)
		}
		if c.ExposedPorts == nil {
			c.ExposedPorts = map[string]struct{}{}
		}
		c.ExposedPorts[number+"/"+protocol] = struct{}{}
	}
	return nil
}

func addVolumes(c *v1.ImageConfig, rest string) error {
	list, ok, err := words(rest)
	if err != nil {
		return err
	}
	if !ok {
		list = strings.Fields(rest)
	}
	for _, volume := range list {
		if !path.IsAbs(volume) || path.Clean(volume) == "/" {
			return fmt.Errorf("volume %q is not an absolute path below /", volume)
		}
		if c.Volumes == nil {
			c.Volumes = map[string]struct{}{}
		}
		c.Volumes[path.Clean(volume)] = struct{}{}
	}
	return nil
}
