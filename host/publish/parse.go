package publish

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// Parse parses [[IP:][HOST]:]CONTAINER[/tcp|udp], with a port or a range of ports as HOST
// and CONTAINER, as docker does. The addresses of IPv6 are in brackets. Without HOST, or with
// 0, a port is used that is free. Two ranges have the same length; for a single CONTAINER, a
// range means any port of it that is free.
func Parse(value string) ([]Port, error) {
	fail := func(format string, args ...any) ([]Port, error) {
		return nil, executor.Errorf(executor.Invalid, "published port %q: "+format, append([]any{value}, args...)...)
	}
	rest, protocol, given := strings.Cut(value, "/")
	protocol = strings.ToLower(protocol)
	if !given {
		protocol = TCP
	}
	if protocol != TCP && protocol != UDP {
		return fail("protocol %q is not known; use tcp or udp", protocol)
	}
	ip, host, container, ok := split(rest)
	if !ok {
		return fail("it is not of the form [IP:]HOST:CONTAINER or CONTAINER; an address of IPv6 is in brackets, as in [::1]:8080:80")
	}
	var p Port
	if ip != "" {
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			return fail("%q is not an IP address; give one of the machine's, such as 127.0.0.1", ip)
		}
		p.HostIP = addr.Unmap()
	}
	first, last, why := ports(container)
	if why == "" && first == 0 {
		why = "port 0 of a container cannot be published; ports are 1 to 65535"
	}
	if why != "" {
		return fail("%s", why)
	}
	var hostFirst, hostLast uint16
	if host != "" {
		if hostFirst, hostLast, why = ports(host); why == "" && hostFirst == 0 && hostLast > 0 {
			why = "a range cannot begin with port 0"
		}
		if why != "" {
			return fail("%s", why)
		}
	}
	p.Protocol = protocol
	n := int(last-first) + 1
	if m := int(hostLast-hostFirst) + 1; hostFirst != 0 && m != n {
		if n != 1 {
			return fail("the ranges have %d and %d ports; give as many of the machine as of the container", m, n)
		}
		p.HostLast = hostLast
	}
	if n > Max {
		return fail("it has %d ports; at most %d are possible for a container", n, Max)
	}
	list := make([]Port, n)
	for i := range list {
		list[i] = p
		list[i].ContainerPort = first + uint16(i)
		if hostFirst != 0 {
			list[i].HostPort = hostFirst + uint16(i)
		}
	}
	if err := list[0].Validate(); err != nil {
		return nil, err
	}
	return list, nil
}

// ParseContainerPort parses PORT[/tcp|udp], as users name a port of a container. Without a
// protocol it is TCP.
func ParseContainerPort(value string) (port uint16, protocol string, err error) {
	number, protocol, given := strings.Cut(value, "/")
	protocol = strings.ToLower(protocol)
	if !given {
		protocol = TCP
	}
	n, perr := strconv.ParseUint(number, 10, 16)
	if perr != nil || n == 0 || protocol != TCP && protocol != UDP {
		return 0, "", executor.Errorf(executor.Invalid, "%q is not a port of a container; write it as 80 or 53/udp", value)
	}
	return uint16(n), protocol, nil
}

// split takes a published port without its protocol apart.
func split(s string) (ip, host, container string, ok bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.Index(s, "]:")
		if end < 2 {
			return "", "", "", false
		}
		ip, s = s[1:end], s[end+2:]
		if !strings.Contains(ip, ":") || !strings.Contains(s, ":") {
			return "", "", "", false
		}
	} else if strings.Count(s, ":") == 2 {
		ip, s, _ = strings.Cut(s, ":")
		if ip == "" {
			return "", "", "", false
		}
	}
	host, container, both := strings.Cut(s, ":")
	if !both {
		return "", "", s, true
	}
	if strings.Contains(container, ":") || host == "" && ip == "" {
		return "", "", "", false
	}
	return ip, host, container, true
}

// ports parses a port or a range. why says what is wrong.
func ports(s string) (first, last uint16, why string) {
	a, b, isRange := strings.Cut(s, "-")
	if first, why = port(a); why != "" {
		return 0, 0, why
	}
	if !isRange {
		return first, first, ""
	}
	if last, why = port(b); why != "" {
		return 0, 0, why
	}
	if last < first {
		return 0, 0, "the range " + s + " ends before it begins"
	}
	return first, last, ""
}

func port(s string) (n uint16, why string) {
	v, err := strconv.ParseUint(s, 10, 16)
	switch {
	case err == nil:
		return uint16(v), ""
	case s != "" && strings.Trim(s, "0123456789") == "":
		return 0, "port " + s + " is too large; ports are 1 to 65535"
	}
	return 0, strconv.Quote(s) + " is not a port; give a number from 1 to 65535"
}
