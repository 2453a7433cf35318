package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// The files of a new executor. They are what examples/executor-hello is made of;
// a test writes it anew and compares.
//
//go:embed scaffold
var scaffoldFiles embed.FS

// davitModule is the path of davit's own module.
const davitModule = "github.com/davit-run/davit"

// scaffold is a new executor.
type scaffold struct {
	Name   string
	Module string
	// Version of davit's module, and the directory that stands in for it: one of
	// them counts.
	Version string
	Replace string
}

// maxNameLength bounds the name of an executor, in bytes.
const maxNameLength = 32

var (
	executorName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	modulePath   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
	release      = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+$`)
)

// complete checks s, and decides which davit it builds with. A released davit has
// new executors require its own version.
func (s *scaffold) complete(dir, davitVersion string) error {
	if !executorName.MatchString(s.Name) || len(s.Name) > maxNameLength {
		return fmt.Errorf("%q cannot be the name of an executor; use up to %d lower-case letters, digits and single inner dashes, such as my-backend", s.Name, maxNameLength)
	}
	if !modulePath.MatchString(s.Module) {
		return fmt.Errorf("%q cannot be the path of a module; use one such as example.org/%s", s.Module, s.Name)
	}
	s.Version = "v0.0.0"
	if s.Replace == "" && release.MatchString(davitVersion) {
		s.Version = davitVersion
		return nil
	}
	return s.findReplacement(dir)
}

// findReplacement makes Replace what go.mod says: relative only if it was.
func (s *scaffold) findReplacement(dir string) error {
	if s.Replace == "" {
		wd, err := os.Getwd()
		if err != nil {
			return err
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		if s.Replace = checkout(wd, filepath.Dir(self)); s.Replace == "" {
			return errors.New("davit's module has no published version yet, and its source is neither above the working directory nor above this program: give --replace DIR")
		}
		return nil
	}
	if !isCheckout(s.Replace) {
		return fmt.Errorf("--replace %q: this is not a directory with the source of %s", s.Replace, davitModule)
	}
	if filepath.IsAbs(s.Replace) {
		return nil
	}
	from, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	to, err := filepath.Abs(s.Replace)
	if err != nil {
		return err
	}
	s.Replace, err = filepath.Rel(from, to)
	return err
}

// moduleOf returns the path of the module in dir, or "".
func moduleOf(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), "\n")
	path, _ := strings.CutPrefix(strings.TrimSpace(first), "module ")
	return path
}

// write writes the module to dir and returns the names of its files.
func (s *scaffold) write(dir string) ([]string, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty; nothing was written", dir)
	}
	files, err := s.render()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(files))
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// render returns the files by name.
func (s *scaffold) render() (map[string][]byte, error) {
	templates, err := template.ParseFS(scaffoldFiles, "scaffold/*.tmpl")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, t := range templates.Templates() {
		var text bytes.Buffer
		if err := t.Execute(&text, s); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(t.Name(), ".tmpl")
		if name == "gitignore" {
			name = ".gitignore"
		}
		files[name] = text.Bytes()
	}
	return files, nil
}

// joined returns words with commas, and the last with "and".
func joined(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
