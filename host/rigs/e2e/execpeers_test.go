package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
)

// execPeer runs commands in a container of its own that sleeps. n is new for each command.
type execPeer struct {
	name string
	exec func(n int, terminal bool, args ...string) *exec.Cmd
}

// execPeers are bare runc, ctr, docker if dockerd is on the PATH, and davit with each backend
// that runs containers and plain processes, from the command line.
func execPeers(b *testing.B) (peers []execPeer, s *site) {
	need(b, debian)
	rows := []benchBackend{benchBackends()[2], benchBackends()[0], benchBackends()[3]}
	var blocks []string
	for _, row := range rows {
		blocks = append(blocks, fmt.Sprintf("backend %q {\n%s\n}\n", row.name, row.block))
	}
	s = newSite(b, blocks...)
	peers = append(peers, s.runcPeer(), ctrPeer(b, filepath.Join(s.dir, "run/backends", rows[1].name, "x/containerd.sock")))
	if docker, ok := dockerPeer(b); ok {
		peers = append(peers, docker)
	}
	for _, row := range rows {
		id := s.must(append([]string{"run", "-d", "--backend", row.name}, row.sleep...)...)
		peers = append(peers, execPeer{"davit-" + row.name, func(_ int, terminal bool, args ...string) *exec.Cmd {
			flags := []string{"exec", id}
			if terminal {
				flags = []string{"exec", "-it", id}
			}
			return s.command(append(flags, args...)...)
		}})
	}
	return peers, s
}

// mustRun runs a command of the set-up or the end of a peer.
func mustRun(b *testing.B, name string, args ...string) string {
	b.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		b.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *site) runcPeer() execPeer {
	b := s.t.(*testing.B)
	bundle, root := s.bundle(), s.dir+"/runc"
	config := bundle + "/config.json"
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, []byte(strings.Replace(string(text), `"/bin/true"`, `"/bin/sleep", "1000"`, 1)), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	id := "peer-" + filepath.Base(s.dir)
	start := exec.Command("runc", "--root", root, "run", "--detach", "--bundle", bundle, id)
	if err := start.Run(); err != nil { // with its output in no pipe: the container keeps that
		b.Fatal(err)
	}
	b.Cleanup(func() { mustRun(b, "runc", "--root", root, "delete", "--force", id) })
	return execPeer{"runc", func(_ int, terminal bool, args ...string) *exec.Cmd {
		flags := []string{"--root", root, "exec"}
		if terminal {
			flags = append(flags, "-t")
		}
		return exec.Command("runc", append(append(flags, id), args...)...)
	}}
}

func ctrPeer(b *testing.B, socket string) execPeer {
	mustRun(b, "ctr", "-a", socket, "run", "-d", "--rootfs", rootfs, "peer", "/bin/sleep", "1000")
	b.Cleanup(func() {
		mustRun(b, "ctr", "-a", socket, "task", "rm", "-f", "peer")
		mustRun(b, "ctr", "-a", socket, "container", "rm", "peer")
	})
	return execPeer{"ctr", func(n int, terminal bool, args ...string) *exec.Cmd {
		flags := []string{"-a", socket, "task", "exec", "--exec-id", fmt.Sprintf("e%d", n)}
		if terminal {
			flags = append(flags, "-t")
		}
		return exec.Command("ctr", append(append(flags, "peer"), args...)...)
	}}
}

// dockerPeer starts a dockerd with directories and a containerd of its own, in a mount
// namespace of its own.
func dockerPeer(b *testing.B) (execPeer, bool) {
	dockerd, err := exec.LookPath("dockerd")
	if err != nil {
		b.Log("without docker: there is no dockerd on the PATH")
		return execPeer{}, false
	}
	dir, err := os.MkdirTemp("", "dvp")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	at := func(name string) string { return filepath.Join(dir, name) }
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = %q\n", at("croot"), at("cstate"), at("c.sock"))
	if err := os.WriteFile(at("containerd.toml"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	daemon := func(args ...string) {
		cmd := exec.Command("unshare", append([]string{"-m"}, args...)...)
		log, err := os.Create(at(filepath.Base(args[0]) + ".log"))
		if err != nil {
			b.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
			_ = log.Close()
		})
	}
	daemon(debian, "--config", at("containerd.toml"))
	wait.Until(b, "docker's containerd listens", func() bool { return exists(at("c.sock")) })
	daemon(dockerd, "--host", "unix://"+at("d.sock"), "--containerd", at("c.sock"), "--data-root", at("root"), "--exec-root", at("exec"), "--pidfile", at("pid"),
		"--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs")
	docker := func(args ...string) *exec.Cmd {
		return exec.Command("docker", append([]string{"--host", "unix://" + at("d.sock")}, args...)...)
	}
	wait.Until(b, "dockerd answers", func() bool { return docker("version").Run() == nil })
	mustRun(b, "sh", "-c", fmt.Sprintf("tar -C %s -c . | docker --host unix://%s import - peer", rootfs, at("d.sock")))
	mustRun(b, "docker", "--host", "unix://"+at("d.sock"), "run", "-d", "--network", "none", "--name", "peer", "peer", "/bin/sleep", "1000")
	b.Cleanup(func() { mustRun(b, "docker", "--host", "unix://"+at("d.sock"), "rm", "-f", "peer") })
	return execPeer{"docker", func(_ int, terminal bool, args ...string) *exec.Cmd {
		flags := []string{"exec"}
		if terminal {
			flags = append(flags, "-it")
		}
		return docker(append(append(flags, "peer"), args...)...)
	}}, true
}
