//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const variable = "DAVIT_FAILPOINTS"

var counting sync.Once

// Variables names the variables of the environment that processes need for this
// package.
func Variables() []string { return []string{variable} }

// Hit does what the storm wants at the place with a name. The error is for places
// that can fail.
func Hit(name string) error {
	dir := os.Getenv(variable)
	if dir == "" {
		return nil
	}
	counting.Do(func() { go countGoroutines(dir) })
	action, detail, _ := strings.Cut(take(dir, name, false), " ")
	switch action {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "panic":
		panic("failpoint " + name)
	case "error":
		return fmt.Errorf("failpoint %s", name)
	case "hang":
		select {}
	case "sleep":
		d, _ := time.ParseDuration(detail)
		time.Sleep(d)
	}
	return nil
}

// Call is Hit for the beginning of a served call, at place call.METHOD.
func Call(method string) error { return Hit("call." + method) }

// Reply gives the body to reply to a call with, which is the right one unless the
// executor is to lie.
func Reply(method string, body []byte) []byte {
	if dir := os.Getenv(variable); dir != "" {
		if lie, ok := strings.CutPrefix(take(dir, "call."+method, true), "lie "); ok {
			return []byte(lie)
		}
	}
	return body
}

// take gives what is to happen at a place, once. Lies are left to who wants one.
func take(dir, name string, lies bool) string {
	cwd, _ := os.Getwd()
	for _, file := range []string{filepath.Base(cwd) + "+" + name, name} {
		path := filepath.Join(dir, file)
		text, err := os.ReadFile(path)
		if err != nil || strings.HasPrefix(string(text), "lie ") != lies {
			continue
		}
		if os.Rename(path, filepath.Join(dir, fmt.Sprintf("hit.%s.%d", name, os.Getpid()))) == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}

// Bug reports whether a deliberate bug is switched on.
func Bug(name string) bool {
	dir := os.Getenv(variable)
	if dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "bug."+name))
	return err == nil
}

// countGoroutines answers SIGUSR2.
func countGoroutines(dir string) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2)
	for range asked {
		path := filepath.Join(dir, fmt.Sprintf("goroutines.%d", os.Getpid()))
		if os.WriteFile(path+"~", fmt.Appendln(nil, runtime.NumGoroutine()), 0o600) == nil {
			_ = os.Rename(path+"~", path)
		}
	}
}
