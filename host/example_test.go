package host_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/ocispec"
)

// A program has a host of its own, and runs one container. If it is killed, the container
// ends with it.
func Example() {
	ctx := context.Background()
	h, err := host.Open(ctx, config.Config{
		StateDir: "/var/lib/myprogram", RunDir: "/run/myprogram",
		Backends: []config.Backend{{Name: "main", Executor: "shim"}},
	}, host.Options{Ephemeral: true})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	end, err := h.Run(ctx, api.ContainerOptions{
		Rootfs:  "./rootfs",
		Process: ocispec.Options{Args: []string{"echo", "hello"}},
	}, nil, func(_ api.Stream, data []byte) error {
		_, err := os.Stdout.Write(data)
		return err
	})
	if err != nil {
		log.Print(err)
		return
	}
	if code, known := end.ExitCode(); known {
		fmt.Println("exit code", code)
	} else {
		fmt.Println("nobody knows how it ended:", end.Exit)
	}
}

// Containers outlive the program: it comes back to those that it had.
func ExampleHost_List() {
	ctx := context.Background()
	h, err := host.Open(ctx, config.Config{
		Backends: []config.Backend{{Name: "main", Executor: "shim"}},
	}, host.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	running, err := h.List(api.ListOptions{States: []api.State{api.StateRunning}, Labels: []string{"app=web"}})
	if err != nil {
		log.Print(err)
		return
	}
	for _, c := range running {
		fmt.Println(c.ID, c.Name)
	}
}

// A config file is applied again while containers run.
func ExampleHost_Reload() {
	ctx := context.Background()
	cfg, diags := config.Load("/etc/myprogram.hcl")
	if err := diags.Err(); err != nil {
		log.Fatal(err)
	}
	h, err := host.Open(ctx, *cfg, host.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	// Later:
	if cfg, diags = config.Load("/etc/myprogram.hcl"); diags.HasErrors() {
		log.Print(diags.Err()) // what was in force stays in force
		return
	}
	report, err := h.Reload(ctx, *cfg)
	if err != nil {
		log.Print(err) // also here
		return
	}
	for _, change := range report.Changes {
		fmt.Println(change) // backend main: restarted (config), /etc/myprogram.hcl:1,1
	}
}
