package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackageScripts installs, removes and purges the scripts and units of the package that
// `make deb` builds, in a root of its own: the service is enabled unless the operator has
// disabled it, and what stays is said. `make vm` does so on a machine that systemd runs.
func TestPackageScripts(t *testing.T) {
	if _, err := exec.LookPath("deb-systemd-helper"); err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat("../../../.build/bin/davit-host"); err != nil {
		t.Skipf("needs make build: %v", err)
	}
	run := func(dir, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "DPKG_DEB_COMPRESSOR_TYPE=none", "DEBIAN_FRONTEND=noninteractive")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	const version = "0.0.1"
	whole := filepath.Join("../../..", run("../../..", ".tools/deb", version))
	defer os.Remove(whole)
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	there := func(path string) bool {
		_, err := os.Lstat(filepath.Join(root, path))
		return err == nil
	}

	// The programs are left out.
	if err := os.Mkdir(filepath.Join(dir, "small"), 0o755); err != nil {
		t.Fatal(err)
	}
	run(".", "dpkg-deb", "--control", whole, filepath.Join(dir, "small/DEBIAN"))
	run(".", "sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --wildcards './usr/lib/systemd' './usr/share'`, "sh", whole, filepath.Join(dir, "small"))
	if _, err := os.Stat(filepath.Join(dir, "small/usr/share/zsh/vendor-completions/_davit")); err != nil {
		t.Errorf("Debian's zsh does not find its completion: %v", err)
	}
	run(dir, "dpkg-deb", "--root-owner-group", "--build", "small", "davit.deb")
	for _, name := range []string{"etc", "var/lib/davit", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	dpkg := func(args ...string) string {
		t.Helper()
		return run(dir, "dpkg", append([]string{"--root=" + root, "--force-script-chrootless,unsafe-io,depends", "--log=/dev/null"}, args...)...)
	}

	const enabled = "etc/systemd/system/multi-user.target.wants/davit.service"
	dpkg("-i", "davit.deb")
	if !there(enabled) || there("etc/systemd/system/sockets.target.wants/davit.socket") {
		t.Error("the service is not enabled, or the socket is")
	}
	if out := dpkg("-r", "davit"); !strings.Contains(out, "davit: /var/lib/davit stays as it is") {
		t.Errorf("it is not said what stays: %s", out)
	}
	dpkg("-i", "davit.deb")
	if !there(enabled) {
		t.Error("the service is not enabled when it is installed again")
	}
	if err := os.Remove(filepath.Join(root, enabled)); err != nil { // systemctl disable
		t.Fatal(err)
	}
	dpkg("-i", "davit.deb")
	if there(enabled) {
		t.Error("an upgrade enables a service that was disabled")
	}
	if out := dpkg("-P", "davit"); !strings.Contains(out, "davit: /var/lib/davit stays as it is") {
		t.Errorf("it is not said what stays: %s", out)
	}
	left := run(root, "find", ".", "-name", "*davit*")
	if left != "./var/lib/davit" {
		t.Errorf("a purge leaves %s", left)
	}
}
