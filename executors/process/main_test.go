package process_test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDriver); dir != "" {
		drive(dir)
	}
	os.Exit(m.Run())
}
