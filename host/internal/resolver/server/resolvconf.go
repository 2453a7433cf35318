package server

import (
	"net/netip"
	"os"
	"strings"
)

// machineFile names the servers of the machine.
var machineFile = "/etc/resolv.conf"

// A resolvConf is what is needed of /etc/resolv.conf.
type resolvConf struct{ servers, search []string }

// readResolvConf returns what the machine's says now.
func readResolvConf() (c resolvConf) {
	text, err := os.ReadFile(machineFile)
	if err != nil {
		return c
	}
	const mostServers = 3 // as for all programs
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if _, err := netip.ParseAddr(words[1]); err == nil && len(c.servers) < mostServers {
				c.servers = append(c.servers, words[1])
			}
		case "search", "domain": // the last one counts
			c.search = words[1:]
		}
	}
	return c
}
