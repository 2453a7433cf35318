package storm

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Table prints the results in a directory as a table in Markdown.
func Table(out io.Writer, dir string) error {
	results := map[string]Result{}
	found, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var r Result
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		results[r.Row] = r
	}
	if len(results) == 0 {
		return fmt.Errorf("there are no results in %s", dir)
	}
	fmt.Fprintln(out, "| fault | how often | containers | lines | violations | time | seed |")
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: | --- |")
	for _, name := range Rows() {
		r, ok := results[name]
		if !ok {
			continue
		}
		rest := fmt.Sprintf("%d | %d | %d | %d:%02d | %d |\n", r.Counts[containers], r.Counts[lines], sum(r.Violations), r.Seconds/60, r.Seconds%60, r.Seed)
		if name != "kills" {
			all := 0
			for _, by := range r.Faults {
				all += sum(by)
			}
			fmt.Fprintf(out, "| %s | %d | %s", r.About, all, rest)
			continue
		}
		for i, kind := range kinds {
			if i > 0 {
				rest = "″ | ″ | ″ | ″ | ″ |\n"
			}
			fmt.Fprintf(out, "| %s | %d | %s", kind, sum(r.Faults[kind]), rest)
		}
	}
	if r, ok := results["kills"]; ok {
		fmt.Fprintf(out, "\n| fault | %s |\n| --- |%s\n", strings.Join(phases, " | "), strings.Repeat(" ---: |", len(phases)))
		for _, kind := range kinds {
			fmt.Fprintf(out, "| %s |", kind)
			for _, phase := range phases {
				fmt.Fprintf(out, " %d |", r.Faults[kind][phase])
			}
			fmt.Fprintln(out)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(results)) {
		fmt.Fprintf(out, "\n%s: %s\n", name, strings.Join(results[name].Versions, ", "))
	}
	return nil
}
