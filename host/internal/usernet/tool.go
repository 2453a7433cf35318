package usernet

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/davit-run/davit/host/internal/usernet/stage"
	"github.com/davit-run/davit/shared/executor"
)

// What every container sees of the network: its own address, that of a gateway, and that of a
// name server behind which those of the machine are. They are those that slirp4netns has.
const (
	link    = "eth0"
	bits    = 24
	address = "10.0.2.100"
	gateway = "10.0.2.2"
	server  = "10.0.2.3"
)

// Address returns the address of a container in its network namespace.
func Address() netip.Addr { return netip.MustParseAddr(address) }

// Server returns the address at which a container asks the name servers of the machine.
func Server() netip.Addr { return netip.MustParseAddr(server) }

// tools are the programs that can be helpers, the best first, each with its arguments for a
// namespace. userns is the path of that to which it belongs, or empty.
func tools() []tool {
	return []tool{{"pasta", pasta}, {"slirp4netns", slirp4netns}}
}

type tool struct {
	name string
	args func(netns, userns string) []string
}

// pasta forwards no ports, and leaves the machine's own loopback out of reach.
func pasta(netns, userns string) []string {
	args := []string{
		"--foreground", "--quiet", "--config-net", "--ns-ifname", link,
		"--address", address, "--netmask", fmt.Sprint(bits), "--gateway", gateway, "--dns-forward", server, "--no-map-gw",
		"--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none",
		"--netns", netns,
	}
	if os.Geteuid() == 0 {
		args = append(args, "--runas", "0:0") // nobody may not enter the namespace
	}
	if userns != "" {
		args = append(args, "--userns", userns)
	}
	return args
}

// slirp4netns leaves the machine's own loopback out of reach.
func slirp4netns(netns, userns string) []string {
	args := []string{"--configure", "--mtu=65520", "--disable-host-loopback", "--enable-sandbox", "--enable-seccomp", "--netns-type=path"}
	if userns != "" {
		args = append(args, "--userns-path="+userns)
	}
	return append(args, netns, link)
}

// find returns the best program that is installed. The error is [executor.FailedPrecondition].
func find() (program string, t tool, err error) {
	var names []string
	for _, t := range tools() {
		if program, err := exec.LookPath(t.name); err == nil {
			return program, t, nil
		}
		names = append(names, t.name)
	}
	return "", t, executor.Errorf(executor.FailedPrecondition, "network user needs one of the programs %s, and the PATH of the host has none; install passt or slirp4netns", strings.Join(names, " and "))
}

// Check returns an error if no program is installed that can be a helper.
func Check() error {
	_, _, err := find()
	return err
}

// config returns what becomes the helper of a namespace. userns says that it belongs to a user
// namespace of its own, of which the helper has the descriptor.
func config(netns string, userns bool) (stage.Config, error) {
	program, t, err := find()
	if err != nil {
		return stage.Config{}, err
	}
	path := ""
	if userns {
		path = fmt.Sprintf("/proc/self/fd/%d", stage.UserNSFD)
	}
	return stage.Config{Program: program, Args: append([]string{program}, t.args(netns, path)...)}, nil
}
