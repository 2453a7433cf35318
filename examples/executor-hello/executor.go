package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/hashicorp/go-hclog"
)

// newExecutor describes the program. What it declares here is what `davit
// validate` checks and `davit executors describe hello` prints.
func newExecutor() executor.Executor {
	return executor.Executor{
		Name:    "hello",
		Version: "0.1.0",
		Config: executor.Schema{Attributes: []executor.Attribute{
			{Name: "env", Type: executor.StringMap, Description: "variables added to the environment of every workload"},
		}},
		Validate:  validate,
		Prototype: (*lifecycle.Backend[order, *process])(nil),
		Open:      open,
	}
}

// config is a backend's config block, as the schema above declares it.
type config struct {
	Env map[string]string `json:"env"`
}

// validate finds what the schema cannot say. It does no I/O.
func validate(settings executor.Settings) []executor.Diagnostic {
	var c config
	if err := json.Unmarshal(settings.Config, &c); err != nil && settings.Config != nil {
		return []executor.Diagnostic{
			{Severity: executor.SeverityError, Path: []string{"config"}, Message: err.Error()},
		}
	}
	var found []executor.Diagnostic
	for name := range c.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			found = append(found, executor.Diagnostic{
				Severity: executor.SeverityError, Path: []string{"config", "env"},
				Message: strconv.Quote(name) + " cannot be the name of a variable", Hint: "use letters, digits and underscores",
			})
		}
	}
	return found
}

// open is called once in the life of the process, with settings that are valid.
func open(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
	var c config
	if env.Settings.Config != nil {
		if err := json.Unmarshal(env.Settings.Config, &c); err != nil {
			return nil, executor.Errorf(executor.Invalid, "config: %w", err)
		}
	}
	d := &driver{config: c, dir: filepath.Join(env.StateDir, "containers"), sockets: env.RunDir}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	return lifecycle.New(d, host, hclog.FromContext(ctx)), nil
}
