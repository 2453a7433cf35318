package supervisor

import (
	"context"
	"os"
	"time"

	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// Ask starts the executor at binary beside whatever runs, without a backend,
// calls fn and ends it again. It serves to validate settings and to describe
// executors.
func Ask(ctx context.Context, binary Binary, hello transport.Hello, fn func(transport.Client, transport.HelloReply) error) error {
	dir, err := os.MkdirTemp("", "davit-ask")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, Timing{}.withDefaults().Launch)
	defer cancel()
	l, err := launch(ctx, Config{RunDir: dir, Find: func() (Binary, error) { return binary, nil }, LogLevel: "error"})
	if err != nil {
		return err
	}
	defer l.release()
	conn, err := transport.Connect(ctx, l.conn, func(*transport.Conn) transport.Handlers { return nil }, hclog.NewNullLogger())
	if err != nil {
		_ = l.process.Kill()
		return err
	}
	client := transport.Client{Conn: conn}
	reply, err := client.Hello(ctx, hello)
	if err == nil {
		err = fn(client, reply)
	}
	if closeErr := client.CloseBackend(ctx); closeErr != nil {
		_ = l.process.Kill()
	}
	_ = conn.Close()
	select {
	case <-l.process.Done():
	case <-time.After(endTimeout):
		_ = l.process.Kill()
	}
	return err
}
