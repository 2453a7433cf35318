package shim_test

import (
	"os"
	"testing"

	"github.com/davit-run/davit/executors/shim/minishim"
)

func TestMain(m *testing.M) {
	minishim.Main()
	os.Exit(m.Run())
}
