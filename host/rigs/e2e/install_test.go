package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What `make install` installs works from where it is, and is complete.
func TestInstall(t *testing.T) {
	root := t.TempDir()
	install := exec.Command("make", "-C", "../../..", "install", "DESTDIR="+root, "PREFIX=/opt")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	davit := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(filepath.Join(root, "opt/bin/davit"), args...).CombinedOutput()
		if err != nil {
			t.Errorf("davit %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	executors := davit("executors")
	for _, name := range []string{"containerd", "shim", "process", "wasm"} {
		if !strings.Contains(executors, filepath.Join(root, "opt/libexec/davit/davit-executor-"+name)) {
			t.Errorf("executor %s is not found:\n%s", name, executors)
		}
	}
	for file, want := range map[string]string{
		"lib/systemd/system/davit.service":           "ExecStart=/opt/bin/davit serve\nExecReload=/opt/bin/davit reload\n",
		"lib/systemd/system/davit.socket":            "ListenStream=/run/davit/davit.sock\n",
		"share/bash-completion/completions/davit":    "complete -o default -F __start_davit davit",
		"share/zsh/site-functions/_davit":            "#compdef davit",
		"share/fish/vendor_completions.d/davit.fish": "complete -c davit",
		"share/man/man1/davit.1":                     "davit-run(1)",
		"share/man/man1/davit-run.1":                 "--restart",
		"share/man/man1/davit-serve.1":               "--ephemeral",
	} {
		text, err := os.ReadFile(filepath.Join(root, "opt", file))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q (%v)", file, want, err)
		}
	}
	if analyze, err := exec.LookPath("systemd-analyze"); err == nil {
		var units []string
		for _, name := range []string{"davit.service", "davit.socket"} {
			text, err := os.ReadFile(filepath.Join(root, "opt/lib/systemd/system", name))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), name)
			text = []byte(strings.ReplaceAll(string(text), "=/opt/bin/", "="+root+"/opt/bin/"))
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			units = append(units, path)
		}
		if out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, units...)...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("systemd says of the units: %s (%v)", out, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "opt/share/man/man1/davit.1")); err != nil || strings.Contains(string(text), "davit-man") {
		t.Errorf("the manual has a page about writing manuals, or none (%v)", err)
	}
}
