package host

import (
	"context"
	"slices"
	"sync"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// ExecutorInfo describes an executor program.
type ExecutorInfo struct {
	executor.Description
	// Path of the program.
	Path string `json:"path,omitempty"`
	// Protocol is the one that host and executor have agreed on.
	Protocol int `json:"protocol,omitempty"`
	// Problem is why the program cannot be used, empty if it can.
	Problem string `json:"problem,omitempty"`
}

// Describe returns the description of an executor that is installed in one of cfg's
// directories. It starts the program for a moment, without a backend.
func Describe(ctx context.Context, cfg config.Config, name string) (ExecutorInfo, error) {
	info := ExecutorInfo{Description: executor.Description{Name: name}}
	path, err := supervisor.Find(cfg.WithDefaults().ExecutorDirs, name)
	if err != nil {
		return info, err
	}
	found, err := DescribeFile(ctx, path)
	if err != nil {
		info.Path = path
		return info, err
	}
	return found, nil
}

// DescribeFile returns the description of the executor program at path.
func DescribeFile(ctx context.Context, path string) (ExecutorInfo, error) {
	info := ExecutorInfo{Path: path}
	err := supervisor.Ask(ctx, supervisor.Binary{Path: path}, transport.Hello{}, func(_ transport.Client, reply transport.HelloReply) error {
		info.Description, info.Protocol = reply.Description, reply.Protocol
		return nil
	})
	return info, err
}

// Executors lists the executors that are installed in cfg's directories, by name. An
// executor that cannot be used is listed with its Problem.
func Executors(ctx context.Context, cfg config.Config) []ExecutorInfo {
	names := supervisor.Installed(cfg.WithDefaults().ExecutorDirs)
	slices.Sort(names)
	names = slices.Compact(names)
	infos := make([]ExecutorInfo, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			info, err := Describe(ctx, cfg, name)
			if err != nil {
				info.Problem = err.Error()
			}
			infos[i] = info
		})
	}
	wg.Wait()
	return infos
}

func askProgram(ctx context.Context, cfg config.Config, name, digest string, fn func(transport.Client, transport.HelloReply) error) error {
	path, err := supervisor.Find(cfg.ExecutorDirs, name)
	if err != nil {
		return err
	}
	return supervisor.Ask(ctx, supervisor.Binary{Path: path, SHA256: digest}, transport.Hello{}, fn)
}
