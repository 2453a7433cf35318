package api

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trust"
)

// TLSFiles are the files, in PEM, by which one end of a connection over TCP proves who it is,
// and knows the other end.
type TLSFiles struct {
	// Certificate has the certificate of this end, with those between it and its CA, and Key
	// its private key.
	Certificate, Key string
	// CA has the certificates of those that sign the other end's.
	CA string
}

// tlsConfig returns what both ends have in common. TLS 1.3 is all that they need to speak:
// each is davit, or a program of this decade.
func tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
}

// ClientConfig returns the configuration of a client, for [NewTLSClient]. It reads the files.
// The error says which of them cannot be used, and why.
func (f TLSFiles) ClientConfig() (*tls.Config, error) {
	own, err := f.certificate()
	if err == nil {
		err = checkTime(f.Certificate, own.Leaf, time.Now())
	}
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	authorities, err := readAuthorities(f.CA)
	if err != nil {
		return nil, fmt.Errorf("CA of the host's certificate: %w", err)
	}
	config := tlsConfig()
	config.RootCAs = authorities
	// Send it even if the host does not name its CA among those that it knows. So the host
	// says that it does not know the CA, and not that there is no certificate.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	return config, nil
}

// hostConfig returns the configuration of a host. It lets nobody in without a certificate.
func (f TLSFiles) hostConfig() (*tls.Config, error) {
	for _, path := range []string{f.Certificate, f.Key, f.CA} {
		if _, err := trust.File(path); err != nil {
			return nil, err
		}
	}
	if info, err := os.Stat(f.Key); err == nil && info.Mode().Perm()&0o007 != 0 {
		return nil, executor.Errorf(executor.FailedPrecondition, "%s is a private key, and everybody can read it; chmod 600 it", f.Key)
	}
	own, err := f.certificate()
	if err != nil {
		return nil, err
	}
	authorities, err := readAuthorities(f.CA)
	if err != nil {
		return nil, err
	}
	config := tlsConfig()
	config.Certificates = []tls.Certificate{*own}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = authorities
	config.SessionTicketsDisabled = true // a session would outlive a change of the CA
	return config, nil
}

// certificate reads the certificate and its key.
func (f TLSFiles) certificate() (*tls.Certificate, error) {
	chain, err := readPEM(f.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := readPEM(f.Key)
	if err != nil {
		return nil, err
	}
	own, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, invalid("%s and %s: %w", f.Certificate, f.Key, err)
	}
	return &own, nil
}

// readAuthorities reads certificates of CAs.
func readAuthorities(path string) (*x509.CertPool, error) {
	text, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, invalid("%s: there is no certificate in it", path)
	}
	return pool, nil
}

// readPEM reads a file of at most 1 MiB.
func readPEM(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, invalid("%s is not a file", path)
	}
	if err == nil && info.Size() > 1<<20 {
		return nil, invalid("%s has %d bytes, which no file with certificates has", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if wrapped, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, executor.Errorf(executor.FailedPrecondition, "%s: %w", path, wrapped.Err)
	}
	if err == nil {
		if block, _ := pem.Decode(text); block == nil {
			return nil, invalid("%s: this is not PEM, which begins with -----BEGIN", path)
		}
	}
	return text, err
}

// timeForm is how messages show the time of a certificate.
const timeForm = "2006-01-02 15:04 MST"

// checkTime checks that a certificate is valid at a time.
func checkTime(path string, c *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(c.NotBefore):
		return executor.Errorf(executor.FailedPrecondition, "%s is not valid before %s; is the clock right?", path, c.NotBefore.Format(timeForm))
	case now.After(c.NotAfter):
		return executor.Errorf(executor.FailedPrecondition, "%s has expired, at %s; renew it", path, c.NotAfter.Format(timeForm))
	}
	return nil
}

// expirySoon is how long before its end a certificate is said to need renewal, unless its whole
// time is not much longer: those that are renewed every day have a third of it.
const expirySoon = 14 * 24 * time.Hour

// CheckHost checks files with which a host is to listen, as [ListenTLS] does. The doubts are
// about what keeps no host from listening, and clients from connecting, or will do so soon.
func (f TLSFiles) CheckHost() (doubts []string, err error) {
	config, err := f.hostConfig()
	if err != nil {
		return nil, err
	}
	leaf, now := config.Certificates[0].Leaf, time.Now()
	doubt := func(format string, args ...any) { doubts = append(doubts, fmt.Sprintf(format, args...)) }
	if err := checkTime(f.Certificate, leaf, now); err != nil {
		doubt("%v", err)
	} else if leaf.NotAfter.Sub(now) < min(expirySoon, leaf.NotAfter.Sub(leaf.NotBefore)/3) {
		doubt("%s expires at %s; renew it", f.Certificate, leaf.NotAfter.Format(timeForm))
	}
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		doubt("%s has no names: clients look at its subjectAltName alone", f.Certificate)
	}
	if !usableFor(leaf, x509.ExtKeyUsageServerAuth) {
		doubt("%s is not for servers: its extendedKeyUsage lacks serverAuth", f.Certificate)
	}
	for _, authority := range certificatesIn(f.CA) {
		if err := checkTime(f.CA, authority, now); err != nil {
			doubt("%v", err)
		}
		if !authority.IsCA {
			doubt("%s: the certificate of %s is not that of a CA; only a client that has this very one is let in", f.CA, authority.Subject)
		}
	}
	return doubts, nil
}

func usableFor(c *x509.Certificate, usage x509.ExtKeyUsage) bool {
	none := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0
	for _, u := range c.ExtKeyUsage {
		none = none || u == usage || u == x509.ExtKeyUsageAny
	}
	return none
}

// certificatesIn returns the certificates of a file that was read before.
func certificatesIn(path string) (all []*x509.Certificate) {
	text, _ := os.ReadFile(path)
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, c)
		}
	}
	return all
}
