package cli

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
)

// against runs a command against a host that has what h has; see [api.NewHandler].
func against(t *testing.T, h any, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "h.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- api.Serve(ctx, l, h, api.Options{Version: api.Version{Version: "9.9"}}) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	var out, errs bytes.Buffer
	a := &App{Stdout: &out, Stderr: &errs, Env: hostAt(socket), Build: api.Version{Version: "1.2"}}
	code = a.Main(t.Context(), args)
	return code, out.String(), errs.String()
}

// hostAt is the Env of an App whose host is at a socket.
func hostAt(socket string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if name == "DAVIT_HOST" {
			return socket, true
		}
		return "", false
	}
}

// wantLines runs commands, and compares what they print on stdout, its lines separated by
// spaces.
func wantLines(t *testing.T, h any, commands map[string]string) {
	t.Helper()
	for command, want := range commands {
		code, stdout, stderr := against(t, h, splitQuoted(command)...)
		if got := strings.Join(strings.Fields(stdout), " "); code != 0 || got != want {
			t.Errorf("davit %s: code %d, %q, want %q; %s", command, code, got, want, stderr)
		}
	}
}

// splitQuoted splits a command at its spaces, other than those between single quotes.
func splitQuoted(command string) (args []string) {
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		args = append(args, strings.Fields(part)...)
	}
	return args
}
