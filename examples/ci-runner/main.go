// Command ci-runner runs a list of steps, each on the backend that its line names,
// and stops at the first that fails:
//
//	ci-runner CONFIG ROOTFS STEPS
//
// Its exit code is that of the step that failed, and 125 for a failure of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/ocispec"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintf(os.Stderr, "usage: %s CONFIG ROOTFS STEPS\n", os.Args[0])
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1], os.Args[2], os.Args[3])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "ci-runner: %v\n", err)
		code = 125
	}
	os.Exit(code)
}

// run runs the steps and returns the exit code of the first that failed, or 0. It
// leaves nothing behind, also when ctx ends.
func run(ctx context.Context, configFile, rootfs, stepFile string) (code int, err error) {
	steps, err := readSteps(stepFile)
	if err != nil {
		return 0, err
	}
	cfg, diags := config.Load(configFile)
	if err := diags.Err(); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "ci")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	cfg.StateDir, cfg.RunDir = dir+"/state", dir+"/run"
	h, err := host.Open(ctx, *cfg, host.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.Shutdown(context.WithoutCancel(ctx), api.OwnStopTimeout)) }()
	for _, s := range steps {
		if code, err := s.run(ctx, h, rootfs); code != 0 || err != nil {
			return code, err
		}
	}
	return 0, nil
}

// run runs one step, and shows its output as it comes.
func (s step) run(ctx context.Context, h *host.Host, rootfs string) (int, error) {
	out := prefixer{to: os.Stdout, prefix: s.name + " | "}
	fail := prefixer{to: os.Stderr, prefix: s.name + " ! "}
	defer out.flush()
	defer fail.flush()
	fmt.Printf("%s: on %s\n", s.name, s.backend)
	end, err := h.Run(ctx, api.ContainerOptions{
		Backend:    s.backend,
		Rootfs:     rootfs,
		Process:    ocispec.Options{Args: s.command},
		AutoRemove: true,
	}, nil, func(stream api.Stream, data []byte) error {
		if stream == api.Stderr {
			return fail.write(data)
		}
		return out.write(data)
	})
	if err != nil {
		return 0, fmt.Errorf("step %s: %w", s.name, err)
	}
	code, known := end.ExitCode()
	if !known {
		return 0, fmt.Errorf("step %s: %s", s.name, end.Exit)
	}
	if code != 0 {
		fmt.Printf("%s: failed, %s\n", s.name, end.Exit)
	}
	return code, nil
}
