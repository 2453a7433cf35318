package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
)

// appsRoot is the root file system of `make apps`: a Debian with the applications.
var appsRoot = os.Getenv("DAVIT_APPS")

// app is an application on a backend.
type app struct {
	*site
	backend string
	// files is a directory of this machine that is /files in every container, for sockets,
	// data and what containers tell each other.
	files string
	// kills counts how often the host or the executor was killed.
	kills int
}

// TestApps runs applications as their packages of Debian have them, on each executor,
// while the host and the executor are killed again and again.
func TestApps(t *testing.T) {
	if appsRoot == "" {
		t.Skip("DAVIT_APPS is not set: run `make apps`")
	}
	need(t, newest)
	var table strings.Builder
	for _, backend := range []string{"containerd", "shim", "process"} {
		block := fmt.Sprintf("backend %q { executor = %q }\n", backend, backend)
		if backend == "containerd" {
			block = containerdBackend(backend, newest, "")
		}
		t.Run(backend, func(t *testing.T) {
			s := newSite(t, block)
			for _, tt := range []struct {
				name string
				run  func(*app)
			}{
				{"redis", (*app).redis}, {"postgres", (*app).postgres}, {"nginx", (*app).nginx}, {"memcached", (*app).memcached},
				{"tini", (*app).tini}, {"runit", (*app).runit}, {"cron", (*app).cron}, {"sudo and ping", (*app).privileges},
			} {
				t.Run(tt.name, func(t *testing.T) {
					// The site is this test's for a while, so that failures are too.
					outer := s.t
					s.t = t
					defer func() { s.t = outer }()
					a := &app{site: s, backend: backend, files: t.TempDir()}
					if err := os.Chmod(a.files, 0o777); err != nil {
						t.Fatal(err)
					}
					began := time.Now()
					tt.run(a)
					fmt.Fprintf(&table, "%-11s %-14s %6.1f s  %2d kills  %s\n", backend, tt.name, time.Since(began).Seconds(), a.kills, map[bool]string{false: "ok", true: "FAILED"}[t.Failed()])
				})
			}
		})
	}
	t.Logf("the application suite:\n%s", table.String())
}

// args returns the arguments of `davit run` for a command in the applications' root.
func (a *app) args(flags string, command ...string) []string {
	args := append([]string{"run", "--backend", a.backend, "--rootfs", appsRoot, "-v", a.files + ":/files"}, strings.Fields(flags)...)
	return append(args, command...)
}

// start starts a server, and returns its id.
func (a *app) serve(flags string, command ...string) string {
	a.t.Helper()
	return a.must(a.args("-d "+flags, command...)...)
}

// do runs a command to its end in a container of its own.
func (a *app) do(flags string, command ...string) string {
	a.t.Helper()
	return a.must(a.args("--rm "+flags, command...)...)
}

// underKills runs a load while the host and the executor are killed in turns.
func (a *app) underKills(load func() error) {
	a.t.Helper()
	done := make(chan error, 1)
	go func() { done <- load() }()
	for victim := 0; ; victim++ {
		select {
		case err := <-done:
			if err != nil {
				a.t.Errorf("under %d kills: %v", a.kills, err)
			}
			return
		case <-time.After(700 * time.Millisecond):
		}
		if victim%2 == 0 {
			a.kill()
			a.site.start()
		} else if pid := a.site.backend(a.backend).PID; pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		a.kills++
		a.waitBackend(a.backend)
	}
}

// client runs a command in a container of its own, for a goroutine. The command goes on
// when the host is killed, and begins when there is one.
func (a *app) client(flags string, command ...string) (string, error) {
	for {
		cmd := a.command(a.args("--rm "+flags, command...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		switch {
		case err == nil:
			return stdout.String(), nil
		case !strings.HasPrefix(stderr.String(), "davit: cannot reach the davit host"):
			return "", fmt.Errorf("%s: %w: %s %s", command[0], err, stdout.String(), stderr.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// ends stops a container and checks its exit code, and that its output is whole and has
// what its last words are.
func (a *app) ends(id, want, last string) {
	a.t.Helper()
	a.must("stop", "--timeout", "60", id)
	if got := a.must("wait", id); got != want {
		a.t.Errorf("exit code %s, want %s", got, want)
	}
	log := a.run("logs", id)
	if text := log.stdout + log.stderr; !strings.Contains(text, last) {
		a.t.Errorf("the log lacks %q: %s", last, text[max(0, len(text)-2000):])
	}
	if c := a.inspect(id); c.Exit == nil || c.Exit.Output != "complete" {
		a.t.Errorf("the output is not complete: %+v", c.Exit)
	}
}

// await waits for a file below /files.
func (a *app) await(name string) {
	a.t.Helper()
	wait.Until(a.t, "there is "+name, func() bool {
		_, err := os.Stat(filepath.Join(a.files, name))
		return err == nil
	})
}

func (a *app) write(name, text string, mode os.FileMode) {
	a.t.Helper()
	path := filepath.Join(a.files, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		a.t.Fatal(err)
	}
}
