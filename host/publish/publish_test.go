package publish_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/publish"
)

func TestParse(t *testing.T) {
	local, local6 := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	for value, want := range map[string][]publish.Port{
		"80":                    {{ContainerPort: 80}},
		"53/UDP":                {{ContainerPort: 53, Protocol: publish.UDP}},
		"8080:80":               {{HostPort: 8080, ContainerPort: 80}},
		"0:80":                  {{ContainerPort: 80}},
		"127.0.0.1:8080:80":     {{HostIP: local, HostPort: 8080, ContainerPort: 80}},
		"127.0.0.1::80/tcp":     {{HostIP: local, ContainerPort: 80}},
		"[::1]:8080:80":         {{HostIP: local6, HostPort: 8080, ContainerPort: 80}},
		"[::ffff:127.0.0.1]::1": {{HostIP: local, ContainerPort: 1}},
		"8000-8001:80-81":       {{HostPort: 8000, ContainerPort: 80}, {HostPort: 8001, ContainerPort: 81}},
		"80-81":                 {{ContainerPort: 80}, {ContainerPort: 81}},
		"8000-9000:80":          {{HostPort: 8000, HostLast: 9000, ContainerPort: 80}},
		"65535:65535":           {{HostPort: 65535, ContainerPort: 65535}},
		"65534-65535:1-2":       {{HostPort: 65534, ContainerPort: 1}, {HostPort: 65535, ContainerPort: 2}},
	} {
		t.Run(value, func(t *testing.T) {
			for i := range want {
				want[i].Protocol = want[i].Network()
			}
			got, err := publish.Parse(value)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for value, want := range map[string]string{
		"":                      "is not a port",
		":":                     "not of the form",
		":80":                   "not of the form",
		"::80":                  "not of the form",
		"0":                     "port 0 of a container",
		"8080:0":                "port 0 of a container",
		"65536":                 "port 65536 is too large",
		"65536:80":              "port 65536 is too large",
		"80:99999999999999999":  "is too large",
		"-1:80":                 `"" is not a port`,
		"+1:80":                 `"+1" is not a port`,
		"http:80":               `"http" is not a port`,
		"0-1:80-81":             "cannot begin with port 0",
		"8001-8000:80":          "ends before it begins",
		"8000-8002:80-81":       "the ranges have 3 and 2 ports",
		"8000:80-81":            "the ranges have 1 and 2 ports",
		"80/sctp":               `protocol "sctp"`,
		"80/":                   `protocol ""`,
		"localhost:80:80":       `"localhost" is not an IP address`,
		"1.2.3:80:80":           `"1.2.3" is not an IP address`,
		"::1:80:80":             "in brackets",
		"[::1]:80":              "in brackets",
		"[127.0.0.1]:80:80":     "in brackets",
		"[]:80:80":              "in brackets",
		"[fe80::1%eth0]:80:80":  "has a zone",
		"1-65535":               "at most 4096",
		"1.2.3.4:5:6:7":         "not of the form",
		"80 ":                   "is not a port",
		strings.Repeat("8", 80): "is too large",
	} {
		t.Run(value, func(t *testing.T) {
			if got, err := publish.Parse(value); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %+v, %v\nwant %s", got, err, want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ name, ports, want string }{
		{"fine", "80 80 8080:80 8081:80 8080:80/udp", ""},
		{"twice", "8080:80 8080:81", "port 0.0.0.0:8080/tcp of the machine is published twice, for 80/tcp and for 81/tcp of the container"},
		{"the same twice", "8080:80 8080:80", "published twice"},
		{"all and one address", "8080:80 127.0.0.1:8080:81", "published twice"},
		{"all of IPv4 and one", "0.0.0.0:8080:80 127.0.0.1:8080:81", "published twice"},
		{"both families", "127.0.0.1:8080:80 [::1]:8080:80 0.0.0.0:81:1 [::]:81:1", ""},
		{"two addresses", "127.0.0.1:8080:80 127.0.0.2:8080:80", ""},
		{"a range that leaves it open", "8080:80 8080-8090:81", ""},
		{"in ranges", "8080-8082:80-82 8082:90", "published twice"},
		{"too many", "1-4096 1", "at most 4096"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all []publish.Port
			for value := range strings.FieldsSeq(tt.ports) {
				ports, err := publish.Parse(value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, ports...)
			}
			err := publish.Check(all)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzParse checks that what is accepted is valid, survives JSON, and means the same when it
// is written again.
func FuzzParse(f *testing.F) {
	for _, value := range []string{"80", "8080:80/udp", "127.0.0.1::80", "[::1]:8000-8001:80-81", "8000-9000:80", "0:0", "65536", "[fe80::1%e]:1:1", "1-65535:1-65535"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		ports, err := publish.Parse(value)
		if err != nil {
			return
		}
		if len(ports) == 0 {
			t.Fatalf("%q made no port", value)
		}
		for _, p := range ports {
			text, err := json.Marshal(p)
			var again publish.Port
			if err == nil {
				err = json.Unmarshal(text, &again)
			}
			if err != nil || again != p || p.Validate() != nil {
				t.Errorf("%q made %+v, and as JSON %s that is %+v, %v", value, p, text, again, err)
			}
			if !p.HostIP.IsValid() {
				continue
			}
			written, err := publish.Parse(p.Outer() + ":" + p.Inner())
			if err != nil || len(written) != 1 || written[0] != p {
				t.Errorf("%q made %+v, and that is written as %s:%s, which is %+v, %v", value, p, p.Outer(), p.Inner(), written, err)
			}
		}
	})
}

func TestFormat(t *testing.T) {
	one := netip.MustParseAddr("127.0.0.1")
	for want, ports := range map[string][]publish.Port{
		"":                       nil,
		"127.0.0.1:8080->80/tcp": {{HostIP: one, HostPort: 8080, ContainerPort: 80}},
		"[::1]:53->53/udp":       {{HostIP: netip.IPv6Loopback(), HostPort: 53, ContainerPort: 53, Protocol: publish.UDP}},
		"0.0.0.0:8080->80/tcp, [::]:8080->80/tcp":                {{HostPort: 8080, ContainerPort: 80}},
		"0.0.0.0:81-82->1-2/tcp, [::]:81-82->1-2/tcp":            {{HostPort: 81, ContainerPort: 1}, {HostPort: 82, ContainerPort: 2}},
		"127.0.0.1:81->1/tcp, 0.0.0.0:82->2/tcp, [::]:82->2/tcp": {{HostIP: one, HostPort: 81, ContainerPort: 1}, {HostPort: 82, ContainerPort: 2}},
	} {
		if got := publish.Format(ports); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
