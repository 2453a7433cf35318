package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/linux"
)

// memorySpec makes the suite's steps a program of the memory executor, which has
// nothing in front of them.
const memorySpec = `{"process": {"args": ["sleep", "0", ";"]}}`

func TestConformance(t *testing.T) {
	s := newSite(t)
	program := filepath.Join(s.dir, "bin/davit-executor-memory")
	spec := filepath.Join(s.dir, "spec.json")
	if err := os.WriteFile(spec, []byte(memorySpec), 0o600); err != nil {
		t.Fatal(err)
	}

	r := s.run("conformance", "--spec", spec, "--only", "exit-code,close,restart-same", "--skip", "exit-code=not today", program)
	if r.code != 0 || r.stderr != "" || !regexp.MustCompile(`(?s)^memory 1, protocol 1, \S+\n\n`+
		`ok +open +The executor starts[^\n]+\nskip +exit-code +skipped: not today\nok +restart-same [^\n]+\nok +close [^\n]+\n\n`+
		`3 checks passed, 0 failed, 1 skipped, in [\d.]+m?s\ncapabilities: close ok\n$`).MatchString(r.stdout) {
		t.Errorf("got %+v", r)
	}

	r = s.run("conformance", "--process", "--patience", "2s", "--only", "create", "--config", s.config, "--backend", "a", program)
	for _, want := range []string{"FAIL  create ", "      - Create of cf-", "no such command (code command_not_found)", "      hint: ", "1 checks passed, 1 failed", "No workload ran."} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the report does not contain %q", want)
		}
	}
	if r.code != 1 || r.stderr != "" || t.Failed() {
		t.Errorf("got code %d, %s\n%s", r.code, r.stderr, r.stdout)
	}

	r = s.run("conformance", "--json", "--spec", spec, "--only", "list,check", program)
	var report struct {
		Executor                struct{ Name, Version string }
		Passed, Failed, Skipped int
		Capabilities            []struct{ Name, Outcome string }
		Results                 conformance.Report
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || report.Passed != 3 || report.Executor.Name != "memory" ||
		len(report.Results) != 3 || report.Results[1].Outcome != conformance.Passed || len(report.Capabilities) != 1 || report.Capabilities[0].Outcome != "ok" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestConformanceRefuses(t *testing.T) {
	s := newSite(t)
	program := filepath.Join(s.dir, "bin/davit-executor-memory")
	other := filepath.Join(s.dir, "other.hcl")
	if err := os.WriteFile(other, []byte("backend \"x\" {\n  executor = \"shim\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "no executor is given; usage: davit conformance [flags] PATH"},
		{[]string{"/none"}, "stat /none: no such file or directory"},
		{[]string{"/bin/true"}, "/bin/true is no executor that can be tested: the executor ended before it was ready (exit status 0)"},
		{[]string{"--process", "--only", "creat", program}, `the target has only "creat", but there is no such check`},
		{[]string{"--process", "--skip", "creat=x", program}, `the target skips "creat", but there is no such check`},
		{[]string{"--process", "--rootfs", "/", program}, "if any flags in the group [rootfs process spec] are set none of the others can be; [process rootfs] were all set"},
		{[]string{"--spec", "/none.json", program}, "open /none.json: no such file or directory"},
		{[]string{"--spec", s.config, program}, s.config + ": the template is not an OCI spec: invalid character 's' looking for beginning of value"},
		{[]string{"--process", "--config", other, "--backend", "y", program}, other + ` has no backend "y"`},
		{[]string{"--process", "--config", other, program}, `backend "x" is of the executor "shim", but ` + program + ` is "memory"`},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			r := s.run(append([]string{"conformance"}, tt.args...)...)
			if r.code != 1 || !strings.HasPrefix(r.stderr, "davit: "+tt.want) {
				t.Errorf("got %+v\nwant %s", r, tt.want)
			}
		})
	}
}

func TestConformanceList(t *testing.T) {
	s := newSite(t)
	r := s.run("conformance", "--list")
	if r.code != 0 || strings.Count(r.stdout, "\n") != 1+len(conformance.Checks()) || !regexp.MustCompile(`(?m)^close +close +Close leaves`).MatchString(r.stdout) {
		t.Errorf("got %+v", r)
	}
	var checks []struct{ Name, Hint string }
	if err := json.Unmarshal([]byte(s.run("conformance", "--list", "--json").stdout), &checks); err != nil || len(checks) != len(conformance.Checks()) || checks[0].Hint == "" {
		t.Errorf("got %+v, %v", checks, err)
	}
}

func TestExecutors(t *testing.T) {
	s := newSite(t)
	broken := filepath.Join(s.dir, "bin/davit-executor-broken")
	if err := linux.WriteProgram(broken, []byte("#!/bin/sh\necho '1|2|unix|x|netrpc|'\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := s.run("executors", "--config", s.config)
	if r.code != 0 || !regexp.MustCompile(`^NAME +VERSION +PROTOCOL +PATH +PROBLEM\n`+
		`broken +- +- +\S+/bin/davit-executor-broken +the executor speaks protocol 2, this host speaks protocol 1: upgrade davit, or install an older release of the executor\b.*\n`+
		`memory +1 +1 +\S+/bin/davit-executor-memory +-\n$`).MatchString(r.stdout) {
		t.Errorf("got %+v", r)
	}
	for _, which := range []string{"memory", filepath.Join(s.dir, "bin/davit-executor-memory")} {
		r := s.run("executors", "describe", "--config", s.config, which)
		if r.code != 0 || !regexp.MustCompile(`^memory 1, protocol 1, \S+/davit-executor-memory\ncapabilities: check(?:, [a-z-]+)*\n\n`+
			`config:\n  ATTRIBUTE +TYPE +DEFAULT +DESCRIPTION\n  create_delay +duration +"0s" +how long .*\n(?:  \w+ .*\n)*\n`+
			`runtime:\n  ATTRIBUTE +TYPE +DEFAULT +DESCRIPTION\n  problem +string +- +why .*\n$`).MatchString(r.stdout) {
			t.Errorf("got %+v", r)
		}
	}
	var infos []struct {
		Name, Path, Problem string
		Protocol            int
		Capabilities        []string
	}
	if err := json.Unmarshal([]byte(s.run("executors", "--json", "--config", s.config).stdout), &infos); err != nil || len(infos) != 2 || infos[0].Problem == "" || infos[1].Protocol != 1 || len(infos[1].Capabilities) < 4 {
		t.Errorf("got %+v, %v", infos, err)
	}
	s.want(1, "", "davit: executor \"nope\": no file davit-executor-nope in "+s.dir+"/bin; installed are: broken, memory\n", "executors", "describe", "nope", "--config", s.config)
	s.want(1, "", "davit: no executor is given; usage: davit executors describe [flags] (NAME | PATH)\n", "executors", "describe")
	s.want(1, "", "davit: unknown command \"descrbe\"; did you mean describe?\n", "executors", "descrbe")
}
