package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestJournal writes to systemd's journal, which reads the priority of a line from its
// beginning and has times of its own. Who redirects the output of a unit gets what they
// always get.
func TestJournal(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.dir, "journal")
	stderr, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	info, err := stderr.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	serve := func(stream string) *exec.Cmd {
		cmd := s.command("serve", "--config", s.config)
		cmd.Env = append(cmd.Env, "JOURNAL_STREAM="+stream)
		cmd.Stderr = stderr
		return cmd
	}
	read := func() string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	host := serve(fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.nothingRuns()
	s.until(func() bool { return strings.Contains(read(), "host is ready") })
	s.write("nonsense")
	s.run("reload")
	if err := host.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := host.Wait(); err != nil {
		t.Error(err)
	}
	log := read()
	for _, want := range []string{"<6>[INFO]  host is ready: ", "<3>[ERROR] the config was not reloaded"} {
		if !strings.Contains("\n"+log, "\n"+want) {
			t.Errorf("the journal lacks %q:\n%s", want, log)
		}
	}
	for line := range strings.Lines(log) {
		if !regexp.MustCompile(`^<[3467]>\S`).MatchString(line) {
			t.Errorf("a line has no priority: %s", line)
		}
	}

	for _, tt := range []struct{ stream, want string }{
		{fmt.Sprintf("%d:%d", st.Dev, st.Ino), `^(<3>.*\n)*<3>davit: .*\n$`},
		{fmt.Sprintf("%d:%d", st.Dev, st.Ino+1), `^([^<].*\n)*davit: .*\n$`},
	} {
		if err := stderr.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := stderr.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		err := serve(tt.stream).Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitConfig {
			t.Errorf("with a config that cannot be used: %v, want exit code %d", err, exitConfig)
		}
		if got := read(); !regexp.MustCompile(tt.want).MatchString(got) {
			t.Errorf("got %q, want %s", got, tt.want)
		}
	}
}
