// Command embed runs one container through a host of its own, in this process:
//
//	embed EXECUTOR_DIR ROOTFS COMMAND [ARG...]
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/ocispec"
)

func main() {
	if len(os.Args) < 4 {
		log.Fatalf("usage: %s EXECUTOR_DIR ROOTFS COMMAND [ARG...]", os.Args[0])
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, executors, rootfs string, command []string) (err error) {
	dir, err := os.MkdirTemp("", "embed")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h, err := host.Open(ctx, config.Config{
		StateDir: dir + "/state", RunDir: dir + "/run",
		ExecutorDirs: []string{executors},
		Backends:     []config.Backend{{Name: "main", Executor: "containerd"}},
	}, host.Options{Ephemeral: true}) // nothing outlives this program, however it ends
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	end, err := h.Run(ctx, api.ContainerOptions{Rootfs: rootfs, Process: ocispec.Options{Args: command}}, nil,
		func(_ api.Stream, data []byte) error { _, err := os.Stdout.Write(data); return err })
	if err != nil {
		return err
	}
	fmt.Printf("%s, output %s\n", end.Exit, end.Output)
	return nil
}
