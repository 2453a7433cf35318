package registry

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// mirrorTime is how long a mirror may take to be reached, and to answer: somebody else has the
// same.
const mirrorTime = 10 * time.Second

// mirror is a repository on a server that has copies.
type mirror struct {
	*Repository
	can []string
	// down says that it did not answer: it is not asked again for this repository.
	down atomic.Bool
}

// ask makes a request of a mirror. It returns neither an answer nor an error if that is not to
// be asked.
func (m *mirror) ask(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	needs := canPull
	if strings.HasPrefix(path, "/manifests/") && !strings.Contains(path, ":") {
		needs = canResolve // it is a tag
	}
	if m.down.Load() || !slices.Contains(m.can, needs) {
		return nil, nil
	}
	resp, err := m.getHere(ctx, path, header)
	if executor.CodeOf(err) == executor.Unavailable && ctx.Err() == nil {
		m.down.Store(true)
	}
	return resp, err
}
