package store

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/davit-run/davit/host/internal/store/boltfile"
)

// inspection is the result of inspecting a whole file.
type inspection struct {
	// commit is the commit to go on from; nil if there is none.
	commit *boltfile.Commit
	// problems is empty if the newest commit is whole.
	problems []string
	// older means that commit is not the newest commit, or may not be. The problems are
	// then those of the newest.
	older bool
	// newer is the schema version of a file that a later program wrote, otherwise 0.
	newer int
	// header is nil if it cannot be read. digests are computed from the intact records
	// of commit.
	header  *header
	digests [bucketCount]digest
	// bytes is the size of all records.
	bytes int64
	// compact means that a new file is to have what is in this one, and no free pages.
	compact bool
}

// inspect checks all of a file.
func inspect(r io.ReaderAt, size int64) inspection {
	commits := boltfile.Commits(r, size)
	switch len(commits) {
	case 0:
		return inspection{problems: []string{"the file has no valid meta page"}}
	case 1:
		in := inspectCommit(r, size, commits[0])
		in.older = true
		in.problems = append([]string{"a meta page is damaged, so the last commit may be missing"}, in.problems...)
		return in
	}
	newest := inspectCommit(r, size, commits[0])
	if len(newest.problems) == 0 || newest.newer > 0 {
		return newest
	}
	if before := inspectCommit(r, size, commits[1]); len(before.problems) == 0 && before.newer == 0 {
		before.older = true
		before.problems = newest.problems
		return before
	}
	return newest
}

// inspectCommit checks one commit.
func inspectCommit(r io.ReaderAt, size int64, commit boltfile.Commit) inspection {
	in := inspection{commit: &commit}
	var broken []string
	buckets, problems := commit.Walk(r, size, func(name string, key, value []byte) {
		if err := in.add(name, key, value); err != nil && len(broken) < boltfile.MaxProblems {
			broken = append(broken, err.Error())
		}
	})
	in.problems = append(problems, broken...)
	if in.newer > 0 {
		return in
	}
	for b := meta; int(b) < bucketCount; b++ {
		if !slices.Contains(buckets, b.name()) && !in.mayLack(b) {
			in.problems = append(in.problems, fmt.Sprintf("there is no bucket %s", b.name()))
		}
	}
	if in.header == nil {
		in.problems = append(in.problems, "the header is missing")
		return in
	}
	if in.header.Commit != commit.ID {
		in.problems = append(in.problems, fmt.Sprintf("it is commit %d and has the records of %d", commit.ID, in.header.Commit))
	}
	for b, got := range in.digests {
		if want := in.header.Digests[b]; got != want {
			in.problems = append(in.problems, fmt.Sprintf("bucket %s has %d intact records of %d", bucketNames[b], got.Count, want.Count))
		}
	}
	return in
}

// mayLack reports whether a file of this kind need not have a bucket: one that came later
// and has no records.
func (in *inspection) mayLack(b bucket) bool {
	return int(b) >= firstBuckets && in.header != nil && in.header.Digests[b] == digest{}
}

// add counts a record. The error says what is wrong with it.
func (in *inspection) add(name string, key, value []byte) error {
	in.bytes += int64(len(key) + len(value))
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
