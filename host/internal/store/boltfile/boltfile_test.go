package boltfile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func TestVersionOfBbolt(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "go.etcd.io/bbolt").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != knownVersion {
		t.Errorf(`bbolt is %s, and this package knows the layout of %s. Before it says otherwise:
  - compare internal/common/{meta,page,inode,bucket,types}.go and internal/freelist/ of the two versions;
  - write testdata/%s.db with the new one (see TestCommittedFile), and keep the old one, which must stay readable;
  - run go test -fuzz=FuzzWalk for some minutes, and the tests of package store.`, got, knownVersion, got)
	}
}

// shapes are databases that differ in what their pages are like.
var shapes = map[string]func(tx *bolt.Tx, round int) error{
	"empty":  func(*bolt.Tx, int) error { return nil },
	"inline": func(tx *bolt.Tx, round int) error { return put(tx, "small", round, 3, 5) },
	"branches": func(tx *bolt.Tx, round int) error {
		return put(tx, "many", round, 200, 20)
	},
	"overflow": func(tx *bolt.Tx, round int) error { return put(tx, "large", round, 4, 5000) },
	"mixed": func(tx *bolt.Tx, round int) error {
		if round == 3 { // pages become free
			return tx.DeleteBucket([]byte("tree"))
		}
		return errors.Join(put(tx, "inline", round, 1, 9), put(tx, "none", round, 0, 0), put(tx, "overflow", round, 1, 1500), put(tx, "tree", round, 60, 10*round))
	},
}

func put(tx *bolt.Tx, bucket string, round, n, size int) error {
	b, err := tx.CreateBucketIfNotExists([]byte(bucket))
	for i := 0; i < n && err == nil; i++ {
		err = b.Put(fmt.Appendf(nil, "key-%d-%d", i, round%2), bytes.Repeat([]byte{byte(round + 'a')}, size))
	}
	return err
}

// database writes a database of small pages.
func database(t testing.TB, path string, fill func(tx *bolt.Tx, round int) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: minPage, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	db.AllocSize = minPage
	for round := range 5 {
		if err := db.Update(func(tx *bolt.Tx) error { return fill(tx, round) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// files returns the databases of all shapes, and the committed ones.
func files(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for name, fill := range shapes {
		path := filepath.Join(t.TempDir(), "db")
		database(t, path, fill)
		all[name] = read(t, path)
	}
	committed, err := filepath.Glob("testdata/*.db")
	if err != nil || len(committed) == 0 {
		t.Fatal("no committed database: ", err)
	}
	for _, path := range committed {
		all[path] = read(t, path)
	}
	return all
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// walk reads the newest commit of a file.
func walk(file []byte) (records map[string][]string, problems []string) {
	commits := Commits(bytes.NewReader(file), int64(len(file)))
	if len(commits) == 0 {
		return nil, []string{"there is no commit"}
	}
	records = map[string][]string{}
	buckets, problems := commits[0].Walk(bytes.NewReader(file), int64(len(file)), func(bucket string, key, value []byte) {
		records[bucket] = append(records[bucket], string(key)+"="+string(value))
	})
	for _, b := range buckets {
		records[b] = slices.Clone(records[b]) // those without records count, too
	}
	return records, problems
}

// byBolt reads the newest commit as bbolt does.
func byBolt(t testing.TB, file []byte) map[string][]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	records := map[string][]string{}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			records[string(name)] = nil
			return b.ForEach(func(key, value []byte) error {
				records[string(name)] = append(records[string(name)], string(key)+"="+string(value))
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestWalkReadsWhatBboltReads(t *testing.T) {
	for name, file := range files(t) {
		got, problems := walk(file)
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		if want := byBolt(t, file); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %d buckets, want %d, or other records in them", name, len(got), len(want))
		}
	}
}

// A file that an earlier release wrote must stay readable. It is made by
// BOLTFILE_WRITE=1 go test -run TestCommittedFile.
func TestCommittedFile(t *testing.T) {
	path := filepath.Join("testdata", knownVersion+".db")
	if os.Getenv("BOLTFILE_WRITE") != "" {
		database(t, path, shapes["mixed"])
	}
	records, problems := walk(read(t, path))
	got := map[string]int{}
	for name, list := range records {
		got[name] = len(list)
	}
	if want := map[string]int{"inline": 2, "none": 0, "overflow": 2, "tree": 60}; len(problems) > 0 || !maps.Equal(got, want) {
		t.Errorf("%s: got %v, %v; want %v", path, got, problems, want)
	}
}

// Each of these pages is wrong in a way of its own, which is reported, and what can be
// read all the same is.
func TestProblems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	database(t, path, shapes["branches"])
	whole := read(t, path)
	commit := Commits(bytes.NewReader(whole), int64(len(whole)))[0]
	at := func(page uint64, offset int) int { return int(page)*minPage + offset }
	for name, tt := range map[string]struct {
		damage func(file []byte)
		want   string
	}{
		"number of a page":  {func(f []byte) { f[at(commit.root, 0)]++ }, "calls itself"},
		"kind of the root":  {func(f []byte) { f[at(commit.root, 8)] = 0x40 }, "does not belong in a tree"},
		"count":             {func(f []byte) { order.PutUint16(f[at(commit.root, 10):], 60000) }, "is outside of it"},
		"overflow":          {func(f []byte) { order.PutUint32(f[at(commit.root, 12):], 1<<31) }, "beyond the end"},
		"position":          {func(f []byte) { order.PutUint32(f[at(commit.root, 20):], 1<<31) }, "is outside of it"},
		"length":            {func(f []byte) { order.PutUint32(f[at(commit.root, 28):], 1<<31) }, "is outside of it"},
		"flags":             {func(f []byte) { f[at(commit.root, 16)] = 7 }, "is not a bucket"},
		"kind of the list":  {func(f []byte) { f[at(commit.freelist, 8)] = 2 }, "not that of a free list"},
		"count of the list": {func(f []byte) { order.PutUint16(f[at(commit.freelist, 10):], 60000) }, "more than fit"},
		"huge count of it": {func(f []byte) {
			order.PutUint16(f[at(commit.freelist, 10):], 0xFFFF)
			order.PutUint64(f[at(commit.freelist, 16):], 1<<63)
		}, "free list"},
		"free and used":      {func(f []byte) { order.PutUint64(f[at(commit.freelist, 16):], commit.root) }, "in the free list but not free"},
		"end cut off":        {nil, "are recorded"},
		"neither of the two": {func(f []byte) { f[at(0, 40)]++; f[at(1, 40)]++ }, "there is no commit"},
	} {
		t.Run(name, func(t *testing.T) {
			file := bytes.Clone(whole)
			if tt.damage == nil {
				file = file[:at(commit.pages-1, 0)]
			} else {
				tt.damage(file)
			}
			_, problems := walk(file)
			if !strings.Contains(strings.Join(problems, "\n"), tt.want) || len(problems) > MaxProblems {
				t.Errorf("got %q, want %q", problems, tt.want)
			}
		})
	}
}

// Whatever a file contains, it is read without a panic and page by page at most once.
// What has no problem bbolt reads alike.
func FuzzWalk(f *testing.F) {
	for _, file := range files(f) {
		f.Add(file)
		f.Add(file[:len(file)/2])
		f.Add(append(bytes.Clone(file[:len(file)/2]), bytes.Repeat([]byte{0xA5}, len(file)/2)...))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		size := int64(len(file))
		for _, commit := range Commits(bytes.NewReader(file), size) {
			bytesRead := 0
			buckets, problems := commit.Walk(bytes.NewReader(file), size, func(bucket string, key, value []byte) {
				bytesRead += len(key) + len(value)
			})
			if len(problems) > MaxProblems {
				t.Errorf("%d problems", len(problems))
			}
			if len(problems) == 0 && bytesRead > len(file) {
				t.Errorf("%d bytes of records in a file of %d, in buckets %q", bytesRead, len(file), buckets)
			}
		}
		if got, problems := walk(file); len(problems) == 0 {
			if want := byBolt(t, file); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, bbolt reads %v", got, want)
			}
		}
	})
}
