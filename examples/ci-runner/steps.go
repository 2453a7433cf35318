package main

import (
	"encoding/csv"
	"fmt"
	"os"
)

// step is a line of a file of steps: NAME BACKEND COMMAND [ARG...].
type step struct {
	name, backend string
	command       []string
}

// readSteps reads a file of steps. Words are separated by spaces, and stand in
// double quotes if they hold some. Lines that begin with # are left out.
func readSteps(path string) ([]step, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.Comment, r.TrimLeadingSpace, r.FieldsPerRecord = ' ', '#', true, -1
	lines, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var steps []step
	for _, words := range lines {
		if len(words) < 3 {
			return nil, fmt.Errorf("%s: a step is NAME BACKEND COMMAND [ARG...], but there is %q", path, words)
		}
		steps = append(steps, step{words[0], words[1], words[2:]})
	}
	return steps, nil
}
