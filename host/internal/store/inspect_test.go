package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Whatever was committed must pass: a check that cries wolf would throw away
// good stores.
func TestEveryCommitPassesInspection(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{KeepEvents: 50})
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	ids := make(map[string]bool)
	for i := range 400 {
		// A reader that stays keeps pages from being used again.
		release := func() {}
		if i%7 == 0 {
			btx, err := s.begin(false)
			if err != nil {
				t.Fatal(err)
			}
			release = func() { btx.Rollback() }
		}
		for range 1 + rnd.IntN(3) {
			_ = s.Update(t.Context(), func(tx *Tx) error {
				id := fmt.Sprintf("c%d", rnd.IntN(100))
				switch n := rnd.IntN(4); {
				case !ids[id]:
					if err := tx.CreateContainer(sample(id), make([]byte, rnd.IntN(40<<10))); err != nil {
						return err
					}
					ids[id] = true
				case n == 0:
					if err := tx.RemoveContainer(id); err != nil {
						return err
					}
					delete(ids, id)
				case n == 1:
					_ = tx.RemoveContainer(id)
					return fmt.Errorf("undo")
				default:
					return update(id)(tx)
				}
				return nil
			})
		}
		release()
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		in := inspect(f, st.Size())
		f.Close()
		if len(in.problems) > 0 || in.digests[containers].Count != uint64(len(ids)) {
			t.Fatalf("seed %d, commit %d: %d containers of %d, %v", seed, i, in.digests[containers].Count, len(ids), in.problems)
		}
	}
}
