package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Users whom nothing on a machine knows, and a group that Debian has.
const (
	builder    = 61231 // named by a rule
	builderToo = 61232 // in the group that a rule names
	reader     = 61233
	stranger   = 61234 // may connect, and is in no rule
	builders   = 61300
	usersGroup = 100
)

// accessSite starts a host that follows rules, and lets others than root reach it and the
// programs.
func accessSite(t *testing.T, rules string) *site {
	t.Helper()
	need(t)
	if text, err := os.ReadFile("/etc/group"); err != nil || !strings.Contains("\n"+string(text), "\nusers:x:100:") {
		t.Skip("needs the group users")
	}
	s := newSite(t, "default_backend = \"shim\"\napi {\n  group = \"users\"\n  rules = true\n}\n",
		"backend \"shim\" {\n  executor = \"shim\"\n}\nbackend \"process\" {\n  executor = \"process\"\n}\n", rules)
	for _, dir := range []string{filepath.Dir(bin), s.dir} {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// as runs davit as a user with some groups.
func (s *site) as(uid int, groups []uint32, args ...string) result {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.Dir = "/"
	cmd.Env = append(cmd.Env, "HOME=/nonexistent")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), Groups: groups}}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// TestAccessRules has users of all kinds at a real socket. What no rule allows them is refused in
// words, and nothing is made.
func TestAccessRules(t *testing.T) {
	data := t.TempDir() + "/data"
	if err := os.MkdirAll(data+"/below", 0o755); err != nil {
		t.Fatal(err)
	}
	rules := "rule \"builders\" {\n  users = [\"61231\"]\n  groups = [\"61300\"]\n  allow = [\"run\"]\n  backends = [\"shim\"]\n  binds = [\"" + rootfs + ":ro\", \"" + data + "\"]\n}\n" +
		"rule \"watch\" {\n  users = [\"61233\"]\n  allow = [\"read\", \"read-others\"]\n}\n"
	s := accessSite(t, rules)
	connect := []uint32{usersGroup}
	layer := []string{"--rootfs", rootfs + ":O"}
	run := func(uid int, groups []uint32, args ...string) result {
		return s.as(uid, groups, append(append([]string{"run"}, layer...), args...)...)
	}

	// What is allowed works, by the number of the user and by a group.
	if r := run(builder, connect, "--rm", "-v", data+":/data", "sh", "-c", "id -u; echo made >/data/file"); r.code != 0 || r.stdout != "0\n" {
		t.Fatalf("what a rule allows: %+v", r)
	}
	if text, err := os.ReadFile(data + "/file"); err != nil || string(text) != "made\n" {
		t.Errorf("what is mounted: got %q, %v", text, err)
	}
	if r := run(builderToo, append(connect, builders), "--rm", "true"); r.code != 0 {
		t.Errorf("a member of a group: %+v", r)
	}
	if r := run(builderToo, connect, "--rm", "true"); r.code == 0 || !strings.Contains(r.stderr, "no access rule is about user 61232") {
		t.Errorf("who has left the group: %+v", r)
	}
	if r := s.as(builder, nil, "ps"); r.code == 0 || !strings.Contains(r.stderr, "permission denied") {
		t.Errorf("who cannot connect: %+v", r)
	}
	if r := s.as(stranger, connect, "ps"); r.code == 0 || !strings.Contains(r.stderr, `no access rule is about user 61234; root can add one with allow = ["read"]`) {
		t.Errorf("a stranger: %+v", r)
	}
	if r := s.as(stranger, connect, "version"); r.code != 0 {
		t.Errorf("the version: %+v", r)
	}

	// What root has made is there for the rest of the test, and so is what a builder has.
	roots := s.must("run", "-d", "--name", "roots", "--privileged", "-v", "/:/host:ro", "--rootfs", rootfs+":O", "sleep", "1000")
	if r := run(builder, connect, "-d", "--name", "mine", "sleep", "1000"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	made := func() string {
		return s.must("ps", "-aq", "--no-trunc") + s.must("volume", "ls") + s.must("network", "ls")
	}
	before := made()

	// Each of these would be the machine's root, or a step to it.
	for _, flags := range []string{
		"--network host", "--pid host", "--ipc host", "--uts host", "--cgroupns host", "--privileged", "--cap-add SYS_ADMIN", "--cap-add ALL",
		"--device /dev/null", "--device-cgroup-rule=a", "-v /etc:/x", "-v /:/x:ro", "-v " + s.dir + "/state:/x", "-v " + data + "/../:/x", "-v " + rootfs + ":/x",
		"--mount type=bind,source=" + data + ",target=/x,bind-propagation=rshared", "--security-opt seccomp=unconfined", "--security-opt no-new-privileges=false",
		"--annotation a=b", "--oom-score-adj -500", "--backend process", "--runtime io.containerd.runc.v2", "--network default", "-p 8080:80", "-v named:/x",
		"--volumes-from roots", "--network container:roots", "--pid container:roots", "--ipc container:" + roots[:8], "--device-read-bps /dev/null:1m",
	} {
		want := " needs "
		switch flags {
		case "--device-cgroup-rule=a":
			flags = "--device-cgroup-rule=a *:* rwm"
		}
		args := strings.Fields(flags)
		if strings.HasPrefix(flags, "--device-cgroup-rule") {
			args = []string{flags}
		}
		r := run(builder, connect, append(args, "true")...)
		if r.code == 0 || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, "davit reload") {
			t.Errorf("%s: %+v", flags, r)
		}
	}
	for _, args := range []string{
		"run --rootfs " + rootfs + " true", "run --bundle " + data, "run --rootfs / true", "run --rootfs " + s.dir + "/state:O true",
	} {
		if r := s.as(builder, connect, strings.Fields(args)...); r.code == 0 || !strings.Contains(r.stderr, "needs ") && !strings.Contains(r.stderr, "the host's own files") {
			t.Errorf("%s: %+v", args, r)
		}
	}
	// Root's container runs as root, so that whoever gets into it is.
	for _, args := range []string{
		"exec roots true", "exec " + roots[:12] + " true", "cp roots:/etc/passwd /dev/null", "cp " + rootfs + "/etc/passwd roots:/", "commit roots image", "stop roots", "kill roots", "rm -f roots",
		"restart roots", "start roots", "pause roots", "update --memory 64m roots", "rename roots other", "attach roots", "export roots", "diff roots", "logs roots", "top roots", "stats --no-stream roots",
		"inspect roots", "wait roots", "execs roots", "network connect default roots",
	} {
		if r := s.as(builder, connect, strings.Fields(args)...); r.code == 0 || !strings.Contains(r.stderr, "was made by user root (0), and that needs allow = [") {
			t.Errorf("%s: %+v", args, r)
		}
	}
	for _, args := range []string{
		"events --tail 5", "prune -f", "system df", "reload", "backend restart shim", "network create lan", "volume create named", "volume rm named", "volume prune -f", "network connect default mine",
		"exec --privileged mine true", "commit mine image", "load -i " + rootfs + "/etc/passwd", "rmi image", "pull example.invalid/x", "ps --strays",
	} {
		if r := s.as(builder, connect, strings.Fields(args)...); r.code == 0 || !strings.Contains(r.stderr, "needs ") && !strings.Contains(r.stderr, "is for root alone") {
			t.Errorf("%s: %+v", args, r)
		}
	}
	if after := made(); after != before {
		t.Errorf("something was made or removed:\n%s\nbefore:\n%s", after, before)
	}

	// With the own container everything works.
	if r := s.as(builder, connect, "ps", "-a", "--format", "{{.Names}}"); r.stdout != "mine\n" {
		t.Errorf("ps: %+v", r)
	}
	for _, args := range []string{
		"exec -u root mine id", "logs mine", "top mine", "inspect mine", "pause mine", "unpause mine", "update --memory 64m mine", "diff mine", "execs mine", "rename mine ours",
		"run --rm --rootfs " + rootfs + ":O --pid container:ours --volumes-from ours true", "stop -t 0 ours", "start ours",
	} {
		if r := s.as(builder, connect, strings.Fields(args)...); r.code != 0 {
			t.Errorf("%s: %+v", args, r)
		}
	}
	// One who may look may look at all, and do nothing.
	if r := s.as(reader, connect, "ps", "--format", "{{.Names}}"); r.code != 0 || len(strings.Fields(r.stdout)) != 2 {
		t.Errorf("a reader: %+v", r)
	}
	for _, args := range []string{"exec ours true", "stop ours", "cp ours:/etc/passwd /dev/null", "run --rootfs " + rootfs + ":O true", "rename ours x"} {
		if r := s.as(reader, connect, strings.Fields(args)...); r.code == 0 || !strings.Contains(r.stderr, "needs allow = [") {
			t.Errorf("a reader: %s: %+v", args, r)
		}
	}

	// A reload changes the rules under what runs. Without any, nothing is allowed.
	s.rules(strings.Replace(rules, "allow = [\"run\"]", "allow = [\"run\"]\n  features = [\"host-pid\"]", 1))
	if r := s.run("reload"); r.code != 0 || !strings.Contains(r.stdout, "rule \"builders\": changed (features)") {
		t.Errorf("reload: %+v", r)
	}
	if r := run(builder, connect, "--rm", "--pid", "host", "true"); r.code != 0 {
		t.Errorf("a feature that was added: %+v", r)
	}
	s.rules("rule \"builders\" {\n  users = [\"61231\"]\n  allow = [\"nonsense\"]\n}\n")
	if r := s.run("reload"); r.code == 0 || !strings.Contains(r.stderr, `must be one of "read", "run"`) {
		t.Errorf("reload of what is not valid: %+v", r)
	}
	if r := s.as(builder, connect, "inspect", "ours"); r.code != 0 {
		t.Errorf("after a reload that failed: %+v", r)
	}
	s.rules("")
	if r := s.run("reload"); r.code != 0 || strings.Count(r.stdout, "removed") != 2 {
		t.Errorf("reload: %+v", r)
	}
	if r := s.as(builder, connect, "inspect", "ours"); r.code == 0 || !strings.Contains(r.stderr, "no access rule is about user 61231") {
		t.Errorf("without rules: %+v", r)
	}
	// Whose a container is outlives the host.
	s.rules(rules)
	s.kill()
	s.start()
	s.waitBackend("shim")
	if r := s.as(builder, connect, "rm", "-f", "ours"); r.code != 0 {
		t.Errorf("after a restart of the host: %+v", r)
	}
	if r := s.as(builder, connect, "rm", "-f", "roots"); r.code == 0 {
		t.Errorf("after a restart of the host: %+v", r)
	}
}

// rules puts other rules into the config.
func (s *site) rules(rules string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	base, _, _ := strings.Cut(string(text), "rule \"")
	if err := os.WriteFile(s.config, []byte(base+rules), 0o600); err != nil {
		s.t.Fatal(err)
	}
}
