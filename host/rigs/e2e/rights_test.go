package e2e

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWithoutNetAdmin has a host without CAP_NET_ADMIN: containers have the machine's network,
// none, or one that a program gives them, and all others are refused.
func TestWithoutNetAdmin(t *testing.T) {
	need(t, "slirp4netns")
	ownNetwork(t)
	outside := wayOut(t)
	runtime.LockOSThread() // for ever: the thread ends with the test
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_ADMIN, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n", "backend \"process\" {\n  executor = \"process\"\n}\n")
	const look = "readlink /proc/self/ns/net; cat /proc/net/dev | busybox tail -n +3 | busybox cut -d: -f1; busybox ping -c 1 127.0.0.1 >/dev/null && echo answers"
	machine, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, backend := range []string{"shim", "process"} {
		for _, network := range []string{"", "none", "host"} {
			args := []string{"--rm", "--backend", backend}
			if network != "" {
				args = append(args, "--network", network)
			}
			r := s.runRootfs(append(args, "sh", "-c", look)...)
			shared := network == "host" || network == "" && backend == "process" // a plain process, unless asked otherwise
			if r.code != 0 || strings.HasPrefix(r.stdout, machine+"\n") != shared || !shared && !strings.HasSuffix(r.stdout, "\n    lo\nanswers\n") {
				t.Errorf("backend %s, network %q: %+v", backend, network, r)
			}
		}
		if r := s.runRootfs("--rm", "--backend", backend, "--network", "user", "busybox", "wget", "-qO-", "http://"+outside+"/"); r.code != 0 || r.stdout != "hello" {
			t.Errorf("backend %s, network user: %+v", backend, r)
		}
		for _, args := range [][]string{{"--network", "default"}, {"-p", "127.0.0.1:0:80"}} {
			r := s.runRootfs(append(append([]string{"--rm", "--backend", backend}, args...), "true")...)
			if r.code == 0 || !strings.Contains(r.stderr, "the host needs CAP_NET_ADMIN and CAP_SYS_ADMIN for networks; --network none and host work without") || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("backend %s, %v: %+v", backend, args, r)
			}
		}
	}
	s.waitFor("no namespaces are left", func() bool {
		left, err := os.ReadDir(filepath.Join(s.dir, "run/netns"))
		return err == nil && len(left) == 0
	})
}
