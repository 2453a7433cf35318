package executor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/davit-run/davit/shared/executor"
)

// An executor says what it is called, which settings it has and how a backend is opened.
// plugin.Serve serves it to a host.
func ExampleExecutor() {
	e := executor.Executor{
		Name: "mine", Version: "1.0.0",
		Config: executor.Schema{Attributes: []executor.Attribute{
			{Name: "address", Type: executor.String, Required: true, Description: "where the daemon listens"},
		}},
		Validate: func(s executor.Settings) []executor.Diagnostic {
			var config struct{ Address string }
			if err := json.Unmarshal(s.Config, &config); err != nil || config.Address[0] != '/' {
				return []executor.Diagnostic{{Severity: executor.SeverityError, Path: []string{"config", "address"}, Message: "it is not a path"}}
			}
			return nil
		},
		Open: func(_ context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
			return nil, executor.Errorf(executor.Unavailable, "the daemon does not answer")
		},
	}
	fmt.Println(e.Describe().Name, e.Describe().Config.Attributes[0].Name)
	for _, d := range e.Validate(executor.Settings{Config: json.RawMessage(`{"address":"x"}`)}) {
		fmt.Println(d.Path, d.Message)
	}
	// Output:
	// mine address
	// [config address] it is not a path
}

// Errors keep their code on the way from an executor to a host and to its clients.
func ExampleErrorf() {
	err := executor.Errorf(executor.NotFound, "no container %q", "web")
	fmt.Println(err)
	fmt.Println(errors.Is(err, executor.NotFound), executor.CodeOf(fmt.Errorf("stopping: %w", err)))
	// Output:
	// no container "web"
	// true not_found
}
