package realtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

// Streams makes and reads the output files of attempts, in a directory.
type Streams struct {
	T   testing.TB
	Dir string
}

// File makes the file of a stream.
func (s Streams) File(ref executor.Ref, name string) executor.Stream {
	s.T.Helper()
	path := s.Path(ref, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.T.Fatal(err)
	}
	f.Close()
	return executor.Stream{Kind: executor.StreamFile, Path: path}
}

// Path returns the path of a stream's file.
func (s Streams) Path(ref executor.Ref, name string) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%s.%d.%s", ref.ID, ref.Attempt, name))
}

// Output returns what has been written to a stream.
func (s Streams) Output(ref executor.Ref, name string) string {
	s.T.Helper()
	b, err := os.ReadFile(s.Path(ref, name))
	if err != nil {
		s.T.Fatal(err)
	}
	return string(b)
}

// WaitOutput waits until a stream holds a text.
func (s Streams) WaitOutput(ref executor.Ref, name, text string) {
	s.T.Helper()
	wait.Until(s.T, fmt.Sprintf("%s has written %q", ref, text), func() bool { return strings.Contains(s.Output(ref, name), text) })
}

// Context carries a logger that writes to the test's log.
func Context(t testing.TB) context.Context {
	log := hclog.New(&hclog.LoggerOptions{Name: "executor", Level: hclog.Debug, Output: testWriter{t}})
	return hclog.WithContext(context.Background(), log)
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}
