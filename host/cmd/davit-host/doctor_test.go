package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/davit-run/davit/host/internal/doctor"
)

// TestDoctor looks at a site without a host, with one, and with a config that is wrong.
func TestDoctor(t *testing.T) {
	s := newSite(t)
	examine := func() (map[string]string, result) {
		t.Helper()
		r := s.run("doctor", "-c", s.config, "--format", "json")
		var found doctor.Findings
		if err := json.Unmarshal([]byte(r.stdout), &found); err != nil {
			t.Fatalf("%v: %+v", err, r)
		}
		texts := map[string]string{}
		for _, f := range found {
			texts[f.Check] += string(f.Status) + ": " + f.Found + "\n"
		}
		if (r.code == 1) != (found.Count(doctor.Fail) > 0) || r.code > 1 {
			t.Errorf("exit code %d with %d failures", r.code, found.Count(doctor.Fail))
		}
		return texts, r
	}
	texts, _ := examine()
	if texts["config"] != "ok: "+s.config+", 2 backends\n" || !strings.HasPrefix(texts["host"], "unknown: none can be asked: ") || !strings.HasPrefix(texts["kernel"], "ok: Linux ") {
		t.Errorf("without a host: got %q", texts)
	}

	s.serve()
	s.until(func() bool { return s.run("backends", "--check").code == 0 })
	if texts, _ = examine(); !strings.HasPrefix(texts["host"], "ok: it runs, pid ") || !strings.Contains(texts["host"], "ok: backend a is ready\nok: backend b is ready\n") ||
		texts["shims"] != "ok: backend a: plain (the default)\nok: backend b: plain (the default)\n" || texts["leftovers"] != "ok: there is nothing of hosts that are gone\n" || !strings.Contains(texts["limits"], "ok: the host may open ") {
		t.Errorf("with a host: got %q", texts)
	}

	s.write("stat_dir = \"x\"\nbackend \"a\" { executor = \"memory\" }\n")
	texts, r := examine()
	if want := "fail: " + s.config + ":1,1: unknown attribute \"stat_dir\"\n"; texts["config"] != want || r.code != 1 {
		t.Errorf("a wrong config: got code %d, %q", r.code, texts["config"])
	}
	r = s.run("doctor", "-c", s.config, "--quiet")
	if r.code != 1 || !strings.Contains(r.stdout, "\nfail     config       "+s.config) && !strings.Contains(r.stdout, "fail     config       "+s.config) || !strings.Contains(r.stdout, `- did you mean "state_dir"?`) || strings.Contains(r.stdout, "\nok ") {
		t.Errorf("got %+v", r)
	}
}

// TestDoctorFits checks that a text fits a terminal of 80 columns, except long words.
func TestDoctorFits(t *testing.T) {
	found := doctor.Findings{
		{Check: "kernel", Status: doctor.OK, Found: "fine"},
		{Check: "runtimes", Status: doctor.Fail, Found: strings.Repeat("many words of a finding ", 9), Remedy: strings.Repeat("and what to do about it ", 9)},
		{Check: "runtimes", Status: doctor.Warn, Found: "/" + strings.Repeat("long", 30), Remedy: "rename\x1b it"},
		{Check: "host", Status: doctor.Unknown, Found: "none"},
	}
	var b bytes.Buffer
	if err := printFindings(&b, found, false); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 && !strings.Contains(line, "longlong") {
			t.Errorf("too long: %s", line)
		}
	}
	if strings.Contains(b.String(), "\x1b") || !strings.HasSuffix(b.String(), "\n\n1 ok, 1 warning, 1 failure, 1 unknown\n") || !strings.HasPrefix(b.String(), "ok       kernel    fine\nfail     runtimes  many words") {
		t.Errorf("got\n%s", &b)
	}
	b.Reset()
	if err := printFindings(&b, found[:1], true); err != nil || b.String() != "1 ok, 0 warnings, 0 failures, 0 unknown\n" {
		t.Errorf("quiet: got %q, %v", &b, err)
	}
}

// TestDoctorAsksTheHostOfItsConfig asks no other one, unless the user names it.
func TestDoctorAsksTheHostOfItsConfig(t *testing.T) {
	s := newSite(t)
	s.serve()
	cmd := s.command("doctor", "-c", s.config)
	cmd.Env = append(os.Environ(), asDavit+"=1", "DAVIT_HOST=")
	if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), "host         it runs, pid ") {
		t.Errorf("got\n%s", out)
	}
	s.socket = filepath.Join(s.dir, "none.sock")
	if r := s.run("doctor", "-c", s.config); !strings.Contains(r.stdout, "none.sock") {
		t.Errorf("a host that the user names: got\n%s", r.stdout)
	}
}
