package config

import "fmt"

// TLS configures the API over TCP. Each client needs a certificate; there is no other way to
// reach a host over TCP.
type TLS struct {
	// Listen is the IP address and the port, or a port alone for 127.0.0.1.
	Listen string `json:"listen"`
	// Certificate is the path of the host's certificate, with those between it and its CA, and
	// Key that of its private key. Both are PEM.
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	// ClientCA is the path of the certificates of those that sign the clients'. Whoever has a
	// certificate of theirs is as powerful as the host's user, mostly root. So this CA should
	// sign nothing else.
	ClientCA string `json:"client_ca"`
}

// Address returns where to listen.
func (t TLS) Address() (string, error) {
	address, _, err := tcpAddress(t.Listen)
	return address, err
}

// tls checks the API over TCP. Nothing of it has a default.
func (v *validator) tls(t *TLS) {
	if t == nil {
		return
	}
	given := func(name, value, example string) bool {
		if value == "" {
			v.Fail(v.at("api", "tls", name), fmt.Sprintf("add %s = %q", name, example), "api.tls has no %s", name)
		}
		return value != ""
	}
	if given("listen", t.Listen, "127.0.0.1:7443") {
		if _, err := t.Address(); err != nil {
			v.Fail(v.at("api", "tls", "listen"), `write such as "127.0.0.1:7443", or "0.0.0.0:7443" for all addresses`, "api.tls.listen: %v", err)
		}
	}
	for _, file := range []struct{ name, path string }{{"certificate", t.Certificate}, {"key", t.Key}, {"client_ca", t.ClientCA}} {
		if given(file.name, file.path, "/etc/davit/tls/"+file.name+".pem") {
			v.path(file.path, "api", "tls", file.name)
		}
	}
}
