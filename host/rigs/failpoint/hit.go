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

// surveyed says that places are to be noted, by being there.
const surveyed = "survey"

var counting sync.Once

// Hit does what the storm wants at a place. The error is for places that can fail.
func Hit(place string) error {
	dir := os.Getenv(variable)
	if dir == "" || place == "" {
		return nil
	}
	counting.Do(func() { go countGoroutines(dir) })
	if _, err := os.Stat(filepath.Join(dir, surveyed)); err == nil {
		_ = os.WriteFile(filepath.Join(dir, "seen."+scope()+"+"+place), nil, 0o600)
	}
	action, detail, _ := strings.Cut(take(dir, place, false), " ")
	switch action {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "panic":
		panic("failpoint " + place)
	case "error":
		return fmt.Errorf("failpoint %s", place)
	case "hang":
		select {}
	case "sleep":
		d, _ := time.ParseDuration(detail)
		time.Sleep(d)
	}
	return nil
}

// Leave is Hit on the far side of a seam, where nothing can fail any more.
func Leave(place string) {
	if place != "" {
		_ = Hit(place + "-done")
	}
}

// Lie returns the body to reply to a call with, which is the right one unless the
// executor is to lie.
func Lie(method string, body []byte) []byte {
	if dir := os.Getenv(variable); dir != "" {
		if lie, ok := strings.CutPrefix(take(dir, Place("call", method), true), "lie "); ok {
			return []byte(lie)
		}
	}
	return body
}

// take returns what is to happen at a place, once. Lies are left to who wants one.
func take(dir, place string, lies bool) string {
	for _, file := range []string{scope() + "+" + place, place} {
		path := filepath.Join(dir, file)
		text, err := os.ReadFile(path)
		if err != nil || strings.HasPrefix(string(text), "lie ") != lies {
			continue
		}
		if os.Rename(path, filepath.Join(dir, fmt.Sprintf("hit.%s.%d", place, os.Getpid()))) == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}

func scope() string {
	cwd, _ := os.Getwd()
	return filepath.Base(cwd)
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
