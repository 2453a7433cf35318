package process_test

import (
	"os"
	"testing"

	"github.com/davit-run/davit/executors/internal/monitor"
)

func TestMain(m *testing.M) {
	monitor.Main(nil)
	os.Exit(m.Run())
}
