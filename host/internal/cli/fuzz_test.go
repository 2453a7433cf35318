package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
)

// FuzzRunFlags parses a command line of `davit run`. What is accepted is a request that
// can be sent.
func FuzzRunFlags(f *testing.F) {
	for _, line := range []string{
		"--rootfs /r\ntrue", "--bundle b", "-e\nA=1\n-v\n/a:/b:ro\n-m\n64m\n--rootfs\n/r\nx", "--stop-timeout\n-1\n--rootfs=/r\nx", "--cpus\nNaN", "--mount\ntype=tmpfs,target=/x", "--ulimit\nnofile=1:2",
	} {
		f.Add(strings.ReplaceAll(line, " ", "\n"))
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "file") || strings.Contains(line, "seccomp") {
			return // of this machine
		}
		o, err := parseRun(strings.Split(line, "\n")...)
		if err == nil && o.Rootfs != "" && !filepath.IsAbs(o.Rootfs) {
			t.Errorf("%q: the rootfs %q was accepted", line, o.Rootfs)
		}
	})
}

// FuzzEnvFile reads a file of environment variables.
func FuzzEnvFile(f *testing.F) {
	for _, text := range []string{"A=b\n# c\n\nD\n", "\xef\xbb\xbfA=b", "=x\n", "A\x00=1", strings.Repeat("x", 70_000)} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "env")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var list []string
		if readEnv(&list, path, func(string) (string, bool) { return "", false }) != nil {
			return
		}
		for _, e := range list {
			if name, _, ok := strings.Cut(e, "="); !ok || name == "" || strings.ContainsAny(e, "\n\x00") {
				t.Errorf("%q made %q", text, e)
			}
		}
	})
}

// FuzzText checks what the small parsers of flags take, and that nothing printed moves
// the cursor.
func FuzzText(f *testing.F) {
	for _, text := range []string{"10", "1m30s", "-1", "2026-01-31T12:00:00Z", "all", "64m", "\x1b[2J", "9223372036854775807", "1e309h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s Seconds
		_ = s.Set(text)
		_ = timeFlag(new(time.Time))(text)
		var tail *int
		if tailFlag(&tail).Set(text) == nil && tail != nil && *tail < 0 {
			t.Errorf("%q made a tail of %d", text, *tail)
		}
		if n, err := parseOutputMax(text); err == nil && n < -1 {
			t.Errorf("%q made a limit of %d", text, n)
		}
		for _, printed := range []string{Printable(text), commandLine([]string{text, text})} {
			if strings.ContainsFunc(printed, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q is printed as %q", text, printed)
			}
		}
	})
}
