package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestIncidentsHaveTests looks for the tests that README.md names.
func TestIncidentsHaveTests(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	groups := regexp.MustCompile("((?:`Test\\w+`(?:, )?)+) \\(([^)]+)\\)").FindAllStringSubmatch(string(text), -1)
	if len(groups) < 20 {
		t.Errorf("got %d groups of tests", len(groups))
	}
	for _, group := range groups {
		for dir := range strings.SplitSeq(group[2], ", ") {
			var source strings.Builder
			files, _ := filepath.Glob(filepath.Join("../../..", dir, "*_test.go"))
			for _, name := range files {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				source.Write(text)
			}
			for name := range strings.SplitSeq(group[1], ", ") {
				if name = strings.Trim(name, "`"); !strings.Contains(source.String(), "func "+name+"(") {
					t.Errorf("%s has no %s", dir, name)
				}
			}
		}
	}
}
