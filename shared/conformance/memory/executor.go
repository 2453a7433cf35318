package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/hashicorp/go-hclog"
)

// Name is the executor's name in a host's config.
const Name = "memory"

// defaultRuntime is the runtime that always exists.
const defaultRuntime = "plain"

// config is a backend's config block.
type config struct {
	CreateDelay string `json:"create_delay"`
	// Answered is a file to which ID/ATTEMPT CODE is added when a host has answered
	// for an exit.
	Answered string `json:"answered"`

	createDelay time.Duration
}

// runtimeConfig is the body of a runtime block, and the resolved runtime.
type runtimeConfig struct {
	Problem string `json:"problem,omitempty"`
}

func newExecutor(m machine) executor.Executor {
	return executor.Executor{
		Name:    Name,
		Version: "1",
		Config: executor.Schema{Attributes: []executor.Attribute{{
			Name: "create_delay", Type: executor.Duration, Default: json.RawMessage(`"0s"`),
			Description: "how long Create takes before it starts the workload",
		}, {
			Name: "answered", Type: executor.String,
			Description: "file to note the exits in that a host has answered for",
		}}},
		Runtime: &executor.Schema{Attributes: []executor.Attribute{{
			Name: "problem", Type: executor.String,
			Description: "why the runtime cannot be chosen; absent if it can",
		}}},
		Prototype: &backend{},
		Validate: func(s executor.Settings) []executor.Diagnostic {
			_, diags := readSettings(s)
			return diags
		},
		Open: func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
			set, diags := readSettings(env.Settings)
			if len(diags) > 0 {
				return nil, executor.Errorf(executor.Invalid, "%s", diags[0].Message)
			}
			log := hclog.FromContext(ctx)
			d := &driver{env: env, settings: set, machine: m, fifos: &fifo.Holder{}}
			further := *d
			further.further = true
			b := &backend{lifecycle.New(d, host, log), d, set}
			b.Exec(lifecycle.New(&further, host, log))
			return b, nil
		},
	}
}

// settings are executor.Settings, read.
type settings struct {
	config         config
	runtimes       []string // names, in order
	problems       map[string]string
	defaultRuntime string
}

func readSettings(s executor.Settings) (settings, []executor.Diagnostic) {
	set := settings{
		runtimes:       []string{defaultRuntime},
		problems:       map[string]string{defaultRuntime: ""},
		defaultRuntime: defaultRuntime,
	}
	var diags []executor.Diagnostic
	wrong := func(path []string, hint, format string, args ...any) {
		diags = append(diags, executor.Diagnostic{Severity: executor.SeverityError, Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	if err := unmarshal(s.Config, &set.config); err != nil {
		wrong([]string{"config"}, "", "config: %v", err)
	} else if text := set.config.CreateDelay; text != "" {
		delay, err := time.ParseDuration(text)
		if err != nil || delay < 0 {
			wrong([]string{"config", "create_delay"}, `give a duration such as "100ms"`, "create_delay %q is not a duration of 0 or more", text)
		}
		set.config.createDelay = delay
	}
	for _, rt := range s.Runtimes {
		var body runtimeConfig
		if err := unmarshal(rt.Body, &body); err != nil {
			wrong([]string{"runtime", rt.Name}, "", "runtime %q: %v", rt.Name, err)
		}
		if _, known := set.problems[rt.Name]; !known {
			set.runtimes = append(set.runtimes, rt.Name)
		}
		set.problems[rt.Name] = body.Problem
	}
	if s.DefaultRuntime != "" {
		set.defaultRuntime = s.DefaultRuntime
		if _, known := set.problems[s.DefaultRuntime]; !known {
			wrong([]string{"default_runtime"}, fmt.Sprintf("name one of %q", set.runtimes), "default runtime %q is not configured", s.DefaultRuntime)
		}
	}
	return set, diags
}

func unmarshal(body json.RawMessage, to any) error {
	if len(body) == 0 {
		return nil
	}
	return json.Unmarshal(body, to)
}
