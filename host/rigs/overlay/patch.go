package overlay

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed patches/*.patch
var patchFiles embed.FS

// Unsynced is the patch by which a host leaves to the kernel when a commit reaches
// the disk. It is the only one that is no matter of run time.
const Unsynced = "unsynced"

// patches names all patches.
func patches() (names []string) {
	entries, err := patchFiles.ReadDir("patches")
	if err != nil {
		panic(err) // they are in the program
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".patch"))
	}
	return names
}

// patch applies a patch. A file is named by a line "+++ PATH", and hunks begin with
// a line "@@". What stands before the first file is a comment.
func (t *tree) patch(name string) error {
	text, err := patchFiles.ReadFile(path.Join("patches", name+".patch"))
	if err != nil {
		return err
	}
	file := ""
	var before, after strings.Builder
	flush := func() error {
		defer func() { before.Reset(); after.Reset() }()
		if before.Len() == 0 {
			return nil
		}
		source, err := t.read(file)
		if err != nil {
			return fmt.Errorf("patch %s: %w", name, err)
		}
		if n := strings.Count(string(source), before.String()); n != 1 {
			return fmt.Errorf("patch %s: this hunk fits at %d places of %s:\n%s", name, n, file, before.String())
		}
		at := strings.Index(string(source), before.String())
		return t.change(file, source, []edit{{at, at + before.Len(), after.String()}})
	}
	for line := range strings.Lines(string(text)) {
		to, isFile := strings.CutPrefix(line, "+++ ")
		switch {
		case isFile || strings.HasPrefix(line, "@@"):
			if err := flush(); err != nil {
				return err
			}
			if isFile {
				file = strings.TrimSpace(to)
			}
		case file == "":
		case line[0] == '-':
			before.WriteString(line[1:])
		case line[0] == '+':
			after.WriteString(line[1:])
		case line[0] == ' ':
			before.WriteString(line[1:])
			after.WriteString(line[1:])
		default:
			return fmt.Errorf("patch %s: line %q", name, line)
		}
	}
	return flush()
}
