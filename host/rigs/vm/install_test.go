package vm

import (
	"net"
	"regexp"
	"strings"
	"testing"
)

// TestPackage installs the package with dpkg where davit never was. The host is there when
// dpkg is done.
func TestPackage(t *testing.T) {
	need(t, "install")
	sh(t, "dpkg -i /vm/new.deb")
	answers(t)
	want(t, "systemctl is-enabled davit.service", "enabled")
	want(t, "systemctl is-active davit.service", "active")
	want(t, "systemctl is-enabled davit.socket; true", "disabled")
	want(t, "systemd-analyze verify davit.service davit.socket", "")
	want(t, "dpkg --verify davit", "")
	want(t, "dpkg -L davit | grep -vE '^/(\\.|usr(/(bin|lib|libexec|share).*)?)$'; true", "")
	want(t, "davit --version", sh(t, "davit version -f 'davit {{.host.version}}'"))
}

// TestShells completes in each shell as one who has just started it sees it.
func TestShells(t *testing.T) {
	need(t, "install")
	for shell, script := range map[string]string{
		"bash": `bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader davit
			COMP_WORDS=(davit unp); COMP_CWORD=1 COMP_LINE="davit unp" COMP_POINT=9 COMP_TYPE=9 COMP_KEY=9
			eval "$(complete -p davit | sed "s/.*-F \([^ ]*\).*/\1 davit/")" 2>/dev/null; echo "${COMPREPLY[@]}"'`,
		"zsh":  `TERM=dumb zsh -fc 'autoload -Uz compinit && compinit -D; [ "$_comps[davit]" = _davit ] && autoload +X _davit && echo unpause'`,
		"fish": `fish -c 'complete -C "davit unp"'`,
	} {
		if got := sh(t, script); !strings.HasPrefix(got, "unpause") {
			t.Errorf("%s completes %q", shell, got)
		}
	}
}

func TestManual(t *testing.T) {
	need(t, "install")
	for page, want := range map[string]string{"davit": "davit-run(1)", "davit-run": "--restart"} {
		if got := sh(t, "MANWIDTH=80 man -P cat "+page); !strings.Contains(got, want) {
			t.Errorf("man %s lacks %q:\n%s", page, want, got)
		}
	}
}

// TestReadme runs what the README shows first, without a config.
func TestReadme(t *testing.T) {
	need(t, "install")
	sh(t, "cp -a /vm/rootfs /srv/busybox && mkdir -p /srv/www && echo '<h1>hello</h1>' >/srv/www/index.html")
	want(t, "davit run --rootfs /srv/busybox --memory 64m sh -c 'echo hello; exit 3'; echo $?", "hello\n3")
	got := sh(t, "davit run -d --name web -p 8080:80 --restart always -v /srv/www:/www:ro --health-tcp 80 --rootfs /srv/busybox httpd -f -h /www")
	if !regexp.MustCompile(`^[0-9a-f]{16,64}$`).MatchString(got) {
		t.Errorf("davit run -d prints %q", got)
	}
	until(t, "curl -s localhost:8080", "<h1>hello</h1>")
	want(t, "tar -C /srv/busybox -c . | davit import - busybox >/dev/null && davit run --rm busybox echo from an image", "from an image")
	sh(t, "davit rm -f web; davit rmi busybox; davit prune -f")
}

// answers connects to the API at once, without the patience of the command line.
func answers(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("unix", "/run/davit/davit.sock")
	if err != nil {
		t.Errorf("the socket does not answer: %v", err)
		return
	}
	conn.Close()
}
