package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/host/rigs/wait"
)

// redis keeps what was written across a restart, and serves through all kills.
func (a *app) redis() {
	id := a.serve("-u redis", "redis-server", "--port", "0", "--unixsocket", "/files/redis", "--unixsocketperm", "777", "--appendonly", "yes", "--dir", "/files")
	a.await("redis")
	a.underKills(func() error {
		if _, err := a.client("", "redis-benchmark", "-s", "/files/redis", "-n", "30000", "-c", "20", "-q", "-t", "set,get,incr,lpush"); err != nil {
			return err
		}
		_, err := a.client("", "sh", "-c", "for i in $(seq 500); do redis-cli -s /files/redis incr counted; done")
		return err
	})
	count := func() string { return a.do("", "redis-cli", "-s", "/files/redis", "get", "counted") }
	if got := count(); got != "500" {
		a.t.Errorf("counted %s, want 500", got)
	}
	a.ends(id, "0", "ready to exit, bye bye")
	a.must("start", id)
	wait.Until(a.t, "redis answers again", func() bool {
		return a.run(a.args("--rm", "redis-cli", "-s", "/files/redis", "ping")...).stdout == "PONG\n"
	})
	if got := count(); got != "500" {
		a.t.Errorf("after a restart counted is %s, want 500", got)
	}
	a.must("rm", "-f", id)
}

// postgres fails no transaction, and shuts down upon SIGINT.
func (a *app) postgres() {
	const bin = "/usr/lib/postgresql/15/bin/"
	a.do("-u postgres", bin+"initdb", "-D", "/files/data", "--auth=trust", "-N")
	id := a.serve("-u postgres --stop-signal SIGINT", bin+"postgres", "-D", "/files/data", "-k", "/files", "-c", "listen_addresses=", "-c", "unix_socket_permissions=0777")
	a.await(".s.PGSQL.5432")
	wait.Until(a.t, "postgres answers", func() bool {
		return a.run(a.args("--rm -u postgres", bin+"pg_isready", "-h", "/files")...).code == 0
	})
	a.do("-u postgres", bin+"pgbench", "-h", "/files", "-i", "-q", "postgres")
	a.underKills(func() error {
		out, err := a.client("-u postgres", bin+"pgbench", "-h", "/files", "-c", "4", "-T", "6", "postgres")
		if err == nil && !strings.Contains(out, "number of failed transactions: 0 (0.000%)") {
			err = fmt.Errorf("pgbench: %s", out)
		}
		return err
	})
	a.ends(id, "0", "database system is shut down")
	a.must("rm", id)
}

// nginx logs each request to /dev/stdout, also after a reload, and ends upon SIGQUIT.
func (a *app) nginx() {
	port := 80
	if a.backend == "process" { // the machine's own
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			a.t.Fatal(err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	a.write("nginx.conf", fmt.Sprintf(`daemon off;
user www-data;
pid /files/nginx.pid;
error_log /dev/stderr notice;
worker_processes 2;
events { worker_connections 4096; }
http {
  access_log /dev/stdout;
  server { listen %d; location / { return 200 "hello\n"; } }
}
`, port), 0o644)
	const requests = 15000
	ab := fmt.Sprintf("ab -q -n %d -c 50 http://127.0.0.1:%d/ >/files/ab$1 2>&1; echo $? >/files/code$1", requests, port)
	a.write("load", "until [ -s /files/nginx.pid ]; do sleep 0.1; done; set -- 1; "+ab+"; until [ -e /files/reloaded ]; do sleep 0.1; done; set -- 2; "+ab+"; touch /files/done", 0o755)
	id := a.serve("--stop-signal SIGQUIT --ulimit nofile=10000", "sh", "-c", "sh /files/load >/files/out 2>&1 & exec nginx -c /files/nginx.conf")
	a.underKills(func() error {
		if err := waitFile(a.files, "code1"); err != nil {
			return err
		}
		if !wait.Holds(func() bool { return a.command("kill", "-s", "HUP", id).Run() == nil }) { // the host may be away
			return errors.New("nginx gets no SIGHUP")
		}
		if err := os.WriteFile(filepath.Join(a.files, "reloaded"), nil, 0o644); err != nil {
			return err
		}
		return waitFile(a.files, "done")
	})
	for _, n := range []string{"1", "2"} {
		out, _ := os.ReadFile(filepath.Join(a.files, "ab"+n))
		if text := string(out); !strings.Contains(text, fmt.Sprintf("Complete requests:      %d", requests)) || !strings.Contains(text, "Failed requests:        0") {
			a.t.Errorf("ab: %s", text)
		}
	}
	a.ends(id, "0", `"GET / HTTP/1.0" 200`)
	log := a.run("logs", id)
	if n := strings.Count(log.stdout, `"GET / HTTP/1.0" 200`); n != 2*requests {
		a.t.Errorf("the log has %d requests, want %d", n, 2*requests)
	}
	if !strings.Contains(log.stderr, "reconfiguring") || strings.Contains(log.stderr, "[warn]") {
		a.t.Errorf("nginx was not reloaded, or warns: %s", log.stderr)
	}
	a.must("rm", id)
}

// waitFile waits for a file, for a goroutine.
func waitFile(dir, name string) error {
	if !wait.Holds(func() bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}) {
		return fmt.Errorf("there never was %s", name)
	}
	return nil
}

// memcached keeps a connection through all kills.
func (a *app) memcached() {
	id := a.serve("-u memcache", "memcached", "-s", "/files/m", "-a", "777", "-v")
	a.await("m")
	a.underKills(func() error {
		conn, err := net.Dial("unix", filepath.Join(a.files, "m"))
		if err != nil {
			return err
		}
		defer conn.Close()
		answers := bufio.NewReader(conn)
		for i := range 60000 {
			fmt.Fprintf(conn, "set k%d 0 0 1\r\nx\r\nget k%d\r\n", i%500, i%500)
			for _, want := range []string{"STORED", fmt.Sprintf("VALUE k%d 0 1", i%500), "x", "END"} {
				line, err := answers.ReadString('\n')
				if err != nil {
					return fmt.Errorf("request %d: %w", i, err)
				}
				if got := strings.TrimSpace(line); got != want {
					return fmt.Errorf("request %d: got %q, want %s", i, got, want)
				}
			}
		}
		return nil
	})
	a.ends(id, "0", "")
	a.must("rm", id)
}

// tini reaps what others leave behind, and passes signals on and exit codes back.
func (a *app) tini() {
	id := a.serve("", "tini", "-s", "--", "sh", "-c", `trap 'echo told to end; exit 7' TERM; for i in 1 2 3 4 5; do (sleep 0.01 &); done; sleep 0.5
		ps -o stat= --ppid $PPID | grep -c Z; touch /files/ready; while :; do sleep 0.05; done`)
	a.underKills(func() error { return waitFile(a.files, "ready") })
	a.ends(id, "7", "told to end")
	if got := a.must("logs", id); got != "0\ntold to end" {
		a.t.Errorf("got %q, want no zombies", got)
	}
	a.must("rm", id)
}

// runit starts a service again that dies, and one that it is told to.
func (a *app) runit() {
	a.write("services/a/run", "#!/bin/sh\necho up >>/files/starts\necho a is up\nexec sleep 1000\n", 0o755)
	a.write("services/b/run", "#!/bin/sh\necho b is up\nexec sleep 0.2\n", 0o755)
	id := a.serve("--stop-signal SIGHUP", "runsvdir", "-P", "/files/services")
	// It is up for runit before its script has said so.
	started := func(n int) bool {
		starts, _ := os.ReadFile(filepath.Join(a.files, "starts"))
		return strings.Count(string(starts), "up") >= n
	}
	a.waitFor("a is started", func() bool { return started(1) })
	a.underKills(func() error {
		for n := range 3 {
			if _, err := a.client("", "sv", "restart", "/files/services/a"); err != nil {
				return err
			}
			if !wait.Holds(func() bool { return started(n + 2) }) {
				return fmt.Errorf("a was not started again after restart %d", n+1)
			}
		}
		return nil
	})
	if starts, _ := os.ReadFile(filepath.Join(a.files, "starts")); string(starts) != strings.Repeat("up\n", 4) {
		a.t.Errorf("a was started %d times, want 4", strings.Count(string(starts), "up"))
	}
	a.ends(id, "111", "a is up")
	if n := strings.Count(a.must("logs", id), "b is up"); n < 3 {
		a.t.Errorf("b was started %d times", n)
	}
	a.must("rm", id)
}

// cron runs a job when the minute is over.
func (a *app) cron() {
	a.write("jobs/davit", "* * * * * root touch /files/done\n", 0o644)
	id := a.serve("-v "+a.files+"/jobs:/etc/cron.d --mount type=tmpfs,target=/run", "tini", "-s", "--", "cron", "-f", "-L", "15") // which would not end as process 1
	a.underKills(func() error { return waitFile(a.files, "done") })
	a.ends(id, "143", "")
	a.must("rm", id)
}

// privileges needs set-uid programs and capabilities of files.
func (a *app) privileges() {
	a.write("sudoers", "nobody ALL=(ALL) NOPASSWD: ALL\n", 0o440)
	const mount = " --mount type=tmpfs,target=/run"
	if got := a.do("-u nobody -v "+a.files+"/sudoers:/etc/sudoers.d/davit:ro"+mount, "sudo", "-n", "id", "-u"); got != "0" {
		a.t.Errorf("sudo: got %q", got)
	}
	if got := a.do("-u nobody", "ping", "-c1", "-q", "127.0.0.1"); !strings.Contains(got, "1 received") {
		a.t.Errorf("ping: got %q", got)
	}
	if got := a.run(a.args("--rm -u nobody --security-opt no-new-privileges -v "+a.files+"/sudoers:/etc/sudoers.d/davit:ro"+mount, "sudo", "-n", "id", "-u")...); got.code == 0 {
		a.t.Errorf("sudo without new privileges: got %+v", got)
	}
}
