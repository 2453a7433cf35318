package conformance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// trial is one run of one check. Its methods that end a trial panic, and runTrial
// recovers. So only the goroutine of the check may call them; any may call errorf.
type trial struct {
	ctx    context.Context
	target *Target
	mode   Mode
	dir    string
	token  string // makes ids and host ids unlike those of other trials

	capability executor.Capability // that the check is about

	ids      int
	subjects []*subject

	blocks string // why no other check can be run, if this one fails

	mu      sync.Mutex
	reasons []string
}

// abandoned is the panic that ends a trial, with the reason if the check cannot be
// run.
type abandoned struct{ skip string }

func newTrial(ctx context.Context, target *Target, mode Mode) (*trial, error) {
	// Sockets need a short path, and workloads of other users see what is below.
	dir, err := os.MkdirTemp(target.dir, "cf")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	token := make([]byte, 4)
	_, _ = rand.Read(token)
	return &trial{ctx: ctx, target: target, mode: mode, dir: dir, token: hex.EncodeToString(token)}, nil
}

// errorf reports a reason for failure. The trial goes on.
func (t *trial) errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reasons = append(t.reasons, fmt.Sprintf(format, args...))
}

// fatalf reports a reason for failure and ends the trial.
func (t *trial) fatalf(format string, args ...any) {
	t.errorf(format, args...)
	panic(abandoned{})
}

// skipf ends the trial as one that cannot be run.
func (t *trial) skipf(format string, args ...any) {
	panic(abandoned{skip: fmt.Sprintf(format, args...)})
}

// must ends the trial if err is not nil.
func (t *trial) must(err error, format string, args ...any) {
	if err != nil {
		t.fatalf("%s: %s", fmt.Sprintf(format, args...), describe(err))
	}
}

// wantCode reports an error that does not have one of the codes.
func (t *trial) wantCode(err error, what string, codes ...executor.Code) {
	if slices.Contains(codes, executor.CodeOf(err)) {
		return
	}
	names := make([]string, len(codes))
	for i, code := range codes {
		names[i] = string(code)
	}
	t.errorf("%s: got %s, want an error with the code %s", what, describe(err), strings.Join(names, " or "))
}

func describe(err error) string {
	if err == nil {
		return "no error"
	}
	return fmt.Sprintf("%v (code %s)", err, executor.CodeOf(err))
}

// pollInterval is how often eventually looks.
const pollInterval = 5 * time.Millisecond

// eventually waits for condition, and ends the trial if it does not become true in
// time.
func (t *trial) eventually(condition func() bool, format string, args ...any) {
	deadline := time.Now().Add(t.target.Patience)
	for !condition() {
		if t.ctx.Err() != nil {
			t.fatalf("interrupted: %v", context.Cause(t.ctx))
		}
		if time.Now().After(deadline) {
			t.fatalf("within %s, %s did not happen", t.target.Patience, fmt.Sprintf(format, args...))
		}
		time.Sleep(pollInterval)
	}
}

// subdir creates a directory of the trial.
func (t *trial) subdir(name string) string {
	dir := filepath.Join(t.dir, name)
	for n := 2; ; n++ {
		err := os.MkdirAll(filepath.Dir(dir), 0o755)
		if err == nil {
			err = os.Mkdir(dir, 0o700)
		}
		if os.IsExist(err) {
			dir = filepath.Join(t.dir, fmt.Sprintf("%s%d", name, n))
			continue
		}
		t.must(err, "making a directory")
		return dir
	}
}

// cleanup destroys what the trial has left, unless that hangs.
func (t *trial) cleanup() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), t.target.Patience)
	defer cancel()
	_, _ = call(ctx, t, "cleaning up", func(ctx context.Context) (any, error) {
		for _, s := range t.subjects {
			s.cleanup(ctx)
		}
		return nil, nil
	})
	_ = os.RemoveAll(t.dir)
}
