package api

import (
	"context"
	"errors"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// TestClientRefusesWhatIsNotText: encoded as JSON it would become something else.
func TestClientRefusesWhatIsNotText(t *testing.T) {
	c, _ := serveFake(t, &fake{})
	_, err := c.Create(context.Background(), ContainerOptions{Rootfs: "/", Process: ocispec.Options{Env: []string{"A=1", "B=\xff"}}})
	if want := `process.env[1]: "B=\xff" is not UTF-8, as all text has to be here`; !errors.Is(err, executor.Invalid) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	err = c.Stop(context.Background(), "\xff", 0)
	if want := `ref: "\xff" is not UTF-8, as all text has to be here`; !errors.Is(err, executor.Invalid) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
