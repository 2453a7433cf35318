package vm

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestRemove removes the package under a running container and installs it again, which the
// service survives; then it purges it. What stays is said.
func TestRemove(t *testing.T) {
	need(t, "remove")
	configure(t, "")
	s := souls(t, "removed", 1)[0]
	out := sh(t, "apt-get -q remove -y davit")
	for _, want := range []string{"davit: containers that run on, without a host: 1", "davit: /var/lib/davit stays as it is", "davit: /etc/davit stays as it is"} {
		if !strings.Contains(out, want) {
			t.Errorf("apt-get remove does not say %q:\n%s", want, out)
		}
	}
	if _, err := os.Stat(fmt.Sprint("/proc/", s.pid)); err != nil {
		t.Errorf("the container died: %v", err)
	}
	want(t, "systemctl list-units --plain --no-legend 'davit.*'", "")
	sh(t, "dpkg -i /vm/new.deb")
	want(t, "systemctl is-enabled davit; systemctl is-active davit", "enabled\nactive")
	s.lives(t)

	sh(t, "systemctl disable --now davit && dpkg -i /vm/new.deb")
	want(t, "systemctl is-enabled davit; systemctl is-active davit; true", "disabled\ninactive")
	sh(t, "systemctl start davit")
	s.lives(t)
	s.dies(t)
	s.ended(t)

	sh(t, "systemctl stop davit; systemctl enable --now davit.socket; davit ps")
	sh(t, "davit prune -f; davit network prune -f")
	if out := sh(t, "apt-get -q purge -y davit"); !strings.Contains(out, "/var/lib/davit stays as it is") {
		t.Errorf("apt-get purge does not say what stays:\n%s", out)
	}
	want(t, "dpkg -l davit 2>&1 | grep -c '^[a-z][a-z]  davit'; true", "0")
	want(t, "find /etc/systemd /usr/share /usr/lib /usr/libexec -name '*davit*' ! -path '*/davit-vm.service'", "")
	want(t, "systemctl list-units --plain --no-legend 'davit.*'", "")
	want(t, "grep -l davit /proc/[0-9]*/comm; grep davit /proc/self/mounts; true", "")
	sh(t, "rm -r --one-file-system /var/lib/davit /etc/davit")
	want(t, "find / -xdev -ipath '*davit*' ! -path '/proc/*' ! -path '/vm*' ! -name 'davit-vm*' ! -path '/run/*' ! -path '/sys/*' ! -path '/tmp/*' ! -path '/var/log/*' ! -path '/var/cache/man/*' -prune", "")
}
