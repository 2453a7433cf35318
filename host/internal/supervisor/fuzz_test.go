package supervisor

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/hashicorp/go-hclog"
)

// FuzzHandshake checks that no handshake leads the host to a socket elsewhere.
func FuzzHandshake(f *testing.F) {
	const dir = "/run/davit/backends/main"
	for _, line := range []string{
		"1|1|unix|" + dir + "/s/plugin1|netrpc|", "1|1|tcp|127.0.0.1:1|netrpc|", "1|99|unix|/x|grpc|", "", "|||||",
		"1|1|unix|" + dir + "/s/../../x|netrpc|", "1|1|unix|" + dir + "/s/a\x00b|netrpc|",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		address, err := parseHandshake(dir, line)
		if err == nil && (filepath.Dir(address) != dir+"/"+socketDir || filepath.Base(address) == "..") {
			t.Errorf("%q leads to %q", line, address)
		}
	})
}

// FuzzEntry checks that whatever an executor logs is one entry of the host's log, and
// that nothing in it reaches a terminal as more than text.
func FuzzEntry(f *testing.F) {
	for _, line := range []string{
		`{"@message":"a","@level":"warn","k":"v"}`, "plain", "\x1b[2J", `{"@message":"a\nb","k\n":["\u001b"]}`, "\xff", `{"@message":"\u2028"}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		log := &hostLog{}
		relayEntry(line, hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: log, DisableTime: true}))
		text := strings.TrimSuffix(log.String(), "\n")
		for i, part := range strings.Split(text, "\n") {
			if i > 0 && !strings.HasPrefix(part, "  ") {
				t.Errorf("%q is more than one entry: %q", line, text)
			}
			for _, r := range part {
				if !unicode.IsPrint(r) && r != ' ' {
					t.Errorf("%q has %q in the log", line, r)
				}
			}
		}
	})
}
