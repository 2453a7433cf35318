package api_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// A program talks to a host that runs on this machine.
func ExampleClient() {
	ctx := context.Background()
	client := api.NewClient("/run/davit/davit.sock")
	defer client.Close()
	c, err := client.Create(ctx, api.ContainerOptions{
		Name: "web", Image: "nginx", Labels: map[string]string{"app": "web"},
		Process: ocispec.Options{Env: []string{"A=1"}},
	})
	if errors.Is(err, executor.AlreadyExists) {
		c, err = client.Inspect(ctx, "web")
	}
	if err != nil {
		log.Fatal(err)
	}
	err = client.Logs(ctx, c.ID, api.LogOptions{Follow: true}, func(_ api.Stream, data []byte) error {
		_, err := os.Stdout.Write(data)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	end, err := client.Wait(ctx, c.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(end.Exit) // exit code 0
}
