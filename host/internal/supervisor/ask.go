package supervisor

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// askPrefix is the start of the name of the directories of executors that are asked.
const askPrefix = "davit-ask"

// askAge is how old such a directory is that a process has left that was killed.
const askAge = time.Hour

// Ask starts the executor at binary without a backend, calls fn, and ends the executor
// again. Executors that run are not affected. It is used to validate settings and to
// describe executors. If this process is killed meanwhile, the executor ends with it.
func Ask(ctx context.Context, binary Binary, hello transport.Hello, fn func(transport.Client, transport.HelloReply) error) error {
	return ask(ctx, Config{Find: func() (Binary, error) { return binary, nil }, Hello: hello}, fn)
}

// ask does what Ask does, with the program, the user and the hello of config.
func ask(ctx context.Context, config Config, fn func(transport.Client, transport.HelloReply) error) error {
	// The kernel kills a child with the thread that has started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sweepAsked()
	dir, err := os.MkdirTemp("", askPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, Timing{}.withDefaults().Launch)
	defer cancel()
	l, err := launch(ctx, Config{
		RunDir: dir, Find: config.Find, User: config.User,
		Logger: errorsOnly(), endsWithUs: true,
	})
	if err != nil {
		return err
	}
	// Nothing in it is needed any more. It must not stay if this process is killed.
	_ = os.RemoveAll(dir)
	defer l.release()
	conn, err := transport.Connect(ctx, l.conn, func(*transport.Conn) transport.Handlers { return nil }, hclog.NewNullLogger())
	if err != nil {
		_ = l.process.Kill()
		return err
	}
	client := transport.Client{Conn: conn}
	reply, err := client.Hello(ctx, config.Hello)
	if err == nil {
		err = fn(client, reply)
	}
	if closeErr := closeBackend(ctx, client); closeErr != nil {
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

// sweepAsked removes the directories of processes that were killed while they started an
// executor.
func sweepAsked() {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), askPrefix+"*"))
	for _, dir := range old {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < askAge {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == os.Geteuid() {
			_ = os.RemoveAll(dir)
		}
	}
}

// errorsOnly returns a logger that discards all, and at whose level only errors are logged.
func errorsOnly() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: io.Discard})
}
