package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// update is a state change as the host makes it: a record of its own container
// and an event.
func update(id string) func(*Tx) error {
	return func(tx *Tx) error {
		c, err := tx.Container(id)
		if err != nil {
			return err
		}
		c.PID++
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		_, err = tx.Append(Event{Type: "container.running", Container: id, Attempt: 1})
		return err
	}
}

// BenchmarkCommit measures a durable state change, alone and with 16 callers,
// beside the same records put into plain bbolt.
func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("store/callers=%d", callers), func(b *testing.B) {
			s := openTemp(b)
			benchCallers(b, callers,
				func(id string) error { return s.Update(context.Background(), create(id)) },
				func(id string) error { return s.Update(context.Background(), update(id)) })
		})
		for name, run := range map[string]func(*bolt.DB, func(*bolt.Tx) error) error{"bolt.Update": (*bolt.DB).Update, "bolt.Batch": (*bolt.DB).Batch} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				db, err := bolt.Open(filepath.Join(b.TempDir(), "plain.db"), 0o600, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				err = db.Update(func(tx *bolt.Tx) error {
					_, err := tx.CreateBucket([]byte("containers"))
					_, err2 := tx.CreateBucket([]byte("events"))
					return errors.Join(err, err2)
				})
				if err != nil {
					b.Fatal(err)
				}
				put := func(id string) error {
					return run(db, func(tx *bolt.Tx) error {
						containers, events := tx.Bucket([]byte("containers")), tx.Bucket([]byte("events"))
						c := sample(id)
						if old := containers.Get([]byte(id)); old != nil {
							if err := json.Unmarshal(old, c); err != nil {
								return err
							}
						}
						c.PID++
						body, err := json.Marshal(c)
						if err != nil {
							return err
						}
						seq, err := events.NextSequence()
						if err != nil {
							return err
						}
						event, err := json.Marshal(Event{Seq: seq, Type: "container.running", Container: id, Attempt: 1})
						return errors.Join(err, containers.Put([]byte(id), body), events.Put(eventKey(seq), event))
					})
				}
				benchCallers(b, callers, put, put)
			})
		}
	}
}

func benchCallers(b *testing.B, callers int, prepare, run func(id string) error) {
	for i := range callers {
		if err := prepare(fmt.Sprintf("c%d", i)); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	b.SetParallelism((callers + 1) / 2) // times GOMAXPROCS
	b.ResetTimer()
	if callers == 1 {
		for b.Loop() {
			if err := run("c0"); err != nil {
				b.Fatal(err)
			}
		}
	} else {
		b.RunParallel(func(pb *testing.PB) {
			id := fmt.Sprintf("c%d", next.Add(1)%int64(callers))
			for pb.Next() {
				if err := run(id); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkOpen measures the check of the whole file and what else Open does,
// with 10,000 containers.
func BenchmarkOpen(b *testing.B) {
	for _, spec := range []int{2 << 10, 20 << 10} {
		b.Run(fmt.Sprintf("containers=10000/spec=%d", spec), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "state.db")
			fill(b, path, 10_000, spec)
			for b.Loop() {
				s, err := Open(path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				if s.Info().Damage != nil {
					b.Fatal(s.Info().Damage)
				}
				s.Close()
			}
		})
	}
}

func BenchmarkList500(b *testing.B) {
	path := filepath.Join(b.TempDir(), "state.db")
	fill(b, path, 500, 20<<10)
	s := openAt(b, path, Options{})
	for b.Loop() {
		mustView(b, s, func(tx *Tx) error { _, err := tx.Containers(); return err })
	}
}

// fill makes a store with n containers.
func fill(b testing.TB, path string, n, spec int) {
	s := openAt(b, path, Options{})
	defer s.Close()
	body := json.RawMessage(`"` + strings.Repeat("x", spec) + `"`)
	for i := 0; i < n; i += 500 {
		mustUpdate(b, s, func(tx *Tx) error {
			for j := i; j < min(i+500, n); j++ {
				if err := tx.CreateContainer(sample(fmt.Sprintf("%016x", uint64(j)*0x9E3779B97F4A7C15)), body); err != nil {
					return err
				}
				if _, err := tx.Append(Event{Type: "container.created"}); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
