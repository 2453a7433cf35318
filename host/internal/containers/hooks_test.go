package containers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestForbiddenHooks(t *testing.T) {
	for _, kind := range []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"} {
		err := checkHooks(fmt.Appendf(nil, `{"hooks":{%q:[{"path":"/bin/evil"}]}}`, kind))
		if !errors.Is(err, executor.FailedPrecondition) || !strings.HasPrefix(err.Error(), `the bundle has a hook, `+kind+` "/bin/evil"`) {
			t.Errorf("%s: got %v", kind, err)
		}
	}
	for _, spec := range []string{`{}`, `{"hooks":null}`, `{"hooks":{"prestart":[]}}`} {
		if err := checkHooks([]byte(spec)); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
