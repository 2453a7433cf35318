package api

import (
	"crypto/tls"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"
)

// tlsKeys are the files of a host that listens, read again when they have changed. Between
// the renewal of a certificate and that of its key they do not go together, and what was read
// last stays in force.
type tlsKeys struct {
	logger Logger

	mu     sync.Mutex
	files  TLSFiles
	seen   []fileState
	config *tls.Config
}

// fileState tells a file that was changed from one that was not.
type fileState struct {
	info     fs.FileInfo
	size     int64
	modified time.Time
}

func (f fileState) same(other fileState) bool {
	return f.info != nil && other.info != nil && os.SameFile(f.info, other.info) && f.size == other.size && f.modified.Equal(other.modified)
}

func (f TLSFiles) states() (all []fileState) {
	for _, path := range []string{f.Certificate, f.Key, f.CA} {
		var state fileState
		if info, err := os.Stat(path); err == nil {
			state = fileState{info, info.Size(), info.ModTime()}
		}
		all = append(all, state)
	}
	return all
}

// use reads files and puts them into force. It reports whether the certificate is another
// than before.
func (k *tlsKeys) use(files TLSFiles) (renewed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen := files.states() // before they are read: what changes meanwhile is seen next time
	config, err := files.hostConfig()
	if err != nil {
		return false, err
	}
	renewed = k.config != nil && !slices.EqualFunc(k.config.Certificates[0].Certificate, config.Certificates[0].Certificate, slices.Equal)
	k.files, k.seen, k.config = files, seen, config
	return renewed, nil
}

// now returns the configuration for a connection.
func (k *tlsKeys) now(*tls.ClientHelloInfo) (*tls.Config, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen := k.files.states()
	if slices.EqualFunc(seen, k.seen, fileState.same) {
		return k.config, nil
	}
	k.seen = seen // once is enough, also if they are not good
	config, err := k.files.hostConfig()
	if err != nil {
		k.logger.Error("the files of the API's TLS have changed and cannot be used; those before stay in force", "error", err)
		return k.config, nil
	}
	k.config = config
	k.logger.Debug("the files of the API's TLS were read again", "certificate", k.files.Certificate, "valid_until", config.Certificates[0].Leaf.NotAfter.Format(timeForm))
	return config, nil
}
