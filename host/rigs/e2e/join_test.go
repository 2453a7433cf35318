package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJoinedNetwork has containers of two backends share a network, whichever of them ends, is
// restarted or is removed, and when the host is killed.
func TestJoinedNetwork(t *testing.T) {
	need(t, debian)
	ownNetwork(t)
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n", "backend \"process\" {\n  executor = \"process\"\n}\n", containerdBackend("containerd", debian, ""))
	s.must("network", "create", "web")
	run := func(name, backend, network string, more ...string) string {
		t.Helper()
		args := append([]string{"run", "-d", "--name", name, "--backend", backend, "--network", network, "--rootfs", rootfs, "busybox"}, more...)
		return s.must(args...)
	}
	a := run("a", "shim", "web", "httpd", "-f", "-p", "80", "-h", "/etc")
	b := run("b", "containerd", "container:a", "httpd", "-f", "-p", "8080", "-h", "/etc")
	c := run("c", "shim", "container:"+b[:8], "sleep", "inf")
	address := s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "a")
	for _, name := range []string{"b", "c"} {
		if got := s.must("inspect", "-f", "{{.HostConfig.NetworkMode}}", name); got != "container:"+a {
			t.Errorf("%s has the network %q", name, got)
		}
	}
	if got := s.must("__completeNoDesc", "run", "--network", "container:"); !strings.HasPrefix(got, "container:a\ncontainer:b\ncontainer:c\n") {
		t.Errorf("the shell completes --network container: to %q", got)
	}
	check := func(when string) {
		t.Helper()
		s.waitFor(when+", the machine reaches a", func() bool { return get(address) == short(a) })
		for url, from := range map[string]string{"http://127.0.0.1/hostname": "b", "http://127.0.0.1:8080/hostname": "a", "http://" + short(a) + ":8080/hostname": "c"} {
			s.waitFor(when+", "+from+" reaches "+url, func() bool {
				r := s.run("exec", from, "busybox", "wget", "-qO-", url)
				return r.code == 0 && strings.TrimSpace(r.stdout) == short(a)
			})
		}
	}
	check("at first")
	for _, name := range []string{"b", "c"} {
		for _, file := range []string{"hosts", "resolv.conf", "hostname"} {
			if got, want := s.must("exec", name, "cat", "/etc/"+file), s.must("exec", "a", "cat", "/etc/"+file); got != want || want == "" && file != "resolv.conf" {
				t.Errorf("%s has the %s\n%s\nand a has\n%s", name, file, got, want)
			}
		}
		if got := s.must("exec", name, "hostname"); got != short(a) {
			t.Errorf("%s has the host name %s", name, got)
		}
	}
	other := run("other", "shim", "web", "sleep", "inf")
	s.must("exec", "a", "sh", "-c", "echo 10.9.8.7 mine >> /etc/hosts")
	if got := s.must("exec", "c", "cat", "/etc/hosts"); !strings.Contains(got, "\tother "+short(other)) || !strings.Contains(got, "10.9.8.7 mine") {
		t.Errorf("c lacks a name that has come, or one that a has written:\n%s", got)
	}
	s.must("restart", "-t", "0", "a")
	check("after a restart of a")
	s.kill()
	s.start()
	s.waitBackend("shim")
	s.waitBackend("containerd")
	check("under the next host")
	s.must("restart", "-t", "0", "b", "c")
	check("after restarts of the others")
	s.must("stop", "-t", "0", "a")
	s.must("restart", "-t", "0", "b")
	s.must("start", "a")
	check("after a restart of b while a was stopped")
	joinRefusals(s)

	s.must("rm", "-f", "a")
	if got := s.must("exec", "other", "cat", "/etc/hosts"); strings.Contains(got, "\n"+address+"\ta ") || !strings.Contains(got, "\n"+address+"\t") {
		t.Errorf("after the removal of a, others find %s as\n%s", address, got)
	}
	s.kill()
	s.start()
	s.waitBackend("shim")
	s.waitBackend("containerd")
	s.must("restart", "-t", "0", "b")
	s.waitFor("b has the address of a, which was removed", func() bool {
		r := s.run("exec", "other", "busybox", "wget", "-qO-", "http://"+address+":8080/hostname")
		return r.code == 0 && strings.TrimSpace(r.stdout) == short(a)
	})
	if got := s.must("exec", "c", "hostname"); got != short(a) {
		t.Errorf("c has the host name %s", got)
	}
	if r := s.run("network", "rm", "web"); r.code != 1 || !strings.Contains(r.stderr, "network web is used by containers") {
		t.Errorf("removal of a network in use: %+v", r)
	}
	s.must("rm", "-f", "b", "other")
	if got := s.must("network", "inspect", "-f", "{{range .containers}}{{.id}} {{.address}}{{end}}", "web"); got != c+" "+address {
		t.Errorf("the network has %q", got)
	}
	s.must("rm", "-f", "c")
	s.must("network", "prune", "-f")
	s.waitFor("no links are left", func() bool { return len(links(t)) == 0 })
	if left, err := os.ReadDir(filepath.Join(s.dir, "run/netns")); len(left) > 0 || err != nil {
		t.Errorf("left are namespaces: %v, %v", left, err)
	}
}

// joinRefusals asks for networks that cannot be shared, and for what cannot be had with them.
func joinRefusals(s *site) {
	s.t.Helper()
	s.must("run", "-d", "--name", "alone", "--rootfs", rootfs, "sleep", "inf")
	s.must("run", "-d", "--name", "machines", "--network", "host", "--rootfs", rootfs, "sleep", "inf")
	before := s.must("ps", "-aq")
	for want, args := range map[string][]string{
		"published ports can only be given":     {"--network", "container:a", "-p", "8080:80"},
		"an address can only be given":          {"--network", "container:a", "--ip", "10.1.2.3"},
		"a network alias can only be given":     {"--network", "container:a", "--network-alias", "x"},
		"a host name can only be given":         {"--network", "container:a", "--hostname", "x"},
		"name servers or search domains can":    {"--network", "container:a", "--dns", "10.1.2.3"},
		"hosts for /etc/hosts can only be":      {"--network", "container:a", "--add-host", "x:10.1.2.3"},
		`there is no container "nobody"`:        {"--network", "container:nobody"},
		"a container cannot have its own":       {"--name", "me", "--network", "container:me"},
		"that only its backend (shim) knows":    {"--network", "container:alone"},
		"has that of this machine; use --netw":  {"--network", "container:machines"},
		"the container is missing; write conta": {"--network", "container:"},
	} {
		if r := s.runRootfs(append(args, "true")...); r.code != 125 || !strings.Contains(r.stderr, want) {
			s.t.Errorf("%v: got %+v, want %s", args, r, want)
		}
	}
	if after := s.must("ps", "-aq"); after != before {
		s.t.Errorf("what was refused has left a container: there were\n%s\nand are\n%s", before, after)
	}
	if r := s.runRootfs("--rm", "--backend", "process", "--network", "container:a", "busybox", "ip", "-o", "address"); r.code != 0 || !strings.Contains(r.stdout, s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "a")) {
		s.t.Errorf("a plain process on the network of another: %+v", r)
	}
	s.must("rm", "-f", "alone", "machines")
}
