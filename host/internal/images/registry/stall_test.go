package registry

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
)

// TestStall asks a registry that does not answer, or stops in the middle. Neither may hang.
func TestStall(t *testing.T) {
	for _, begun := range []string{"", "some"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if begun != "" {
				w.Header().Set("Content-Length", "100")
				_, _ = w.Write([]byte(begun))
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		}))
		t.Setenv("DOCKER_CONFIG", t.TempDir())
		r := repository(t, strings.TrimPrefix(s.URL, "http://"))
		r.stall = 50 * time.Millisecond
		var got bytes.Buffer
		if err := r.Blob(t.Context(), digest.FromString("x"), 0, &got); executor.CodeOf(err) != executor.Unavailable || !strings.Contains(err.Error(), "nothing came for 50ms") || got.String() != begun {
			t.Errorf("a blob: got %q, %v", &got, err)
		}
		if _, err := r.Manifest(t.Context(), "1", 0); err == nil {
			t.Error("a manifest: got no error")
		}
		s.Close()
	}
}
