package store

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// inspection is what a look at a whole file found.
type inspection struct {
	// root is the commit to go on from; nil if there is none.
	root *root
	// problems is empty if the newest commit is whole.
	problems []string
	// older says that root is not the newest commit, or may not be, and that the
	// problems are those of the newest.
	older bool
	// newer is the schema version of a file that a later program wrote, else 0.
	newer int
	// header is nil if it cannot be read. digests are those of the records below
	// root that are intact.
	header  *header
	digests [bucketCount]digest
}

// inspect checks all of a file.
func inspect(r io.ReaderAt, size int64) inspection {
	roots := readRoots(r, size)
	switch len(roots) {
	case 0:
		return inspection{problems: []string{"the file has no valid meta page"}}
	case 1:
		in := inspectRoot(r, size, roots[0])
		in.older = true
		in.problems = append([]string{"a meta page is damaged, so the last commit may be missing"}, in.problems...)
		return in
	}
	newest := inspectRoot(r, size, roots[0])
	if len(newest.problems) == 0 || newest.newer > 0 {
		return newest
	}
	if before := inspectRoot(r, size, roots[1]); len(before.problems) == 0 && before.newer == 0 {
		before.older = true
		before.problems = newest.problems
		return before
	}
	return newest
}

// inspectRoot checks one commit.
func inspectRoot(r io.ReaderAt, size int64, root root) inspection {
	in := inspection{root: &root}
	var broken []string
	buckets, problems := walk(r, size, root, func(name string, key, value []byte) {
		if err := in.add(name, key, value); err != nil && len(broken) < maxProblems {
			broken = append(broken, err.Error())
		}
	})
	in.problems = append(problems, broken...)
	if in.newer > 0 {
		return in
	}
	for b := meta; int(b) < bucketCount; b++ {
		if !slices.Contains(buckets, b.name()) {
			in.problems = append(in.problems, fmt.Sprintf("there is no bucket %s", b.name()))
		}
	}
	if in.header == nil {
		in.problems = append(in.problems, "the header is missing")
		return in
	}
	if in.header.Commit != root.txid {
		in.problems = append(in.problems, fmt.Sprintf("it is commit %d and has the records of %d", root.txid, in.header.Commit))
	}
	for b, got := range in.digests {
		if want := in.header.Digests[b]; got != want {
			in.problems = append(in.problems, fmt.Sprintf("bucket %s has %d intact records of %d", bucketNames[b], got.Count, want.Count))
		}
	}
	return in
}

// add counts a record, or says what is wrong with it.
func (in *inspection) add(name string, key, value []byte) error {
	b, ok := bucketNamed(name)
	if !ok {
		return fmt.Errorf("there is no bucket %q in schema %d", name, schema)
	}
	body, err := decode(b, key, value)
	if b != meta {
		if err == nil {
			in.digests[b].add(value)
		}
		return err
	}
	// A later schema may change everything but the envelope of this record.
	if len(value) > valueHeader && value[0] > schema && sum(value) == checksum(b, key, value[0], value[valueHeader:]) {
		in.newer = int(value[0])
		return nil
	}
	if err != nil {
		return err
	}
	h := new(header)
	if err := json.Unmarshal(body, h); err != nil {
		return damaged(b, key, err)
	}
	in.header = h
	return nil
}
