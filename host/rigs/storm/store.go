package storm

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The ways to damage a store.
var damageKinds = []string{"truncated", "zeroed", "bit flipped", "locked", "newer schema", "bits flipped"}

// damages damages the store n times while the host is dead and containers run on
// all runtimes. The host must come up again and know all of them.
func damages(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		var lives []*life
		for _, t := range s.site.targets {
			for _, runtime := range t.runtimes {
				l := s.next()
				l.target, l.runtime, l.style, l.rate, l.lines = t, runtime, steered, 20, 0
				if !s.begin(ctx, nil, l) {
					return
				}
				lives = append(lives, l)
			}
		}
		rnd := rand.New(rand.NewPCG(s.seed, 0))
		for i := 0; i < n && ctx.Err() == nil; i++ {
			kind := damageKinds[i%len(damageKinds)]
			s.damage(ctx, kind, rnd)
			s.report.fault("store", kind)
			for _, l := range lives {
				s.checkLives(ctx, l, kind)
			}
			if i%100 == 99 {
				fmt.Fprintf(s.opts.Out, "%6.0fs %d of %d damages\n", time.Since(s.report.begin).Seconds(), i+1, n)
			}
			if s.report.failed() > 20 {
				break
			}
		}
		var wg sync.WaitGroup
		for _, l := range lives {
			if err := l.stop(); err != nil {
				s.report.bad(others, "%v", err)
			}
			wg.Go(func() { s.end(ctx, nil, l) })
		}
		wg.Wait()
	}
}

// damage damages the store of a dead host, and lets another start.
func (s *storm) damage(ctx context.Context, kind string, rnd *rand.Rand) {
	up := s.site.downHost()
	path := filepath.Join(s.site.dir, "state/davit.db")
	release := func() {}
	var err error
	switch kind {
	case "locked":
		release, err = lock(path + ".lock")
	case "newer schema":
		err = makeNewer(path)
	default:
		err = spoil(path, kind, rnd)
	}
	if err != nil {
		s.report.bad(others, "%s: %v", kind, err)
	}
	begin := time.Now()
	up()
	if kind == "locked" {
		pause(ctx, 200*time.Millisecond)
		release()
	}
	if err := s.site.waitReady(ctx); err != nil {
		s.report.bad(others, "after the store was %s: %v", kind, err)
	}
	s.report.took("start on a store that is "+kind, time.Since(begin))
	kept, _ := filepath.Glob(path + ".*-*") // set aside; there would be a thousand
	for _, old := range kept {
		_ = os.Remove(old)
	}
}

// lock owns a store as another host would.
func lock(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
}

// spoil changes the bytes of a file.
func spoil(path, kind string, rnd *rand.Rand) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	flips := 1
	switch kind {
	case "truncated":
		return os.Truncate(path, rnd.Int64N(int64(len(text))))
	case "zeroed":
		from := rnd.IntN(len(text))
		clear(text[from:min(len(text), from+1+rnd.IntN(16<<10))])
		return os.WriteFile(path, text, 0o600)
	case "bits flipped":
		flips = 2 + rnd.IntN(30)
	}
	for range flips {
		text[rnd.IntN(len(text))] ^= 1 << rnd.IntN(8)
	}
	return os.WriteFile(path, text, 0o600)
}

// makeNewer makes a store look as a later version of davit would have left it. A value
// is its schema in one byte, a CRC-32C of all the rest, of its bucket and of its
// key, and a body.
func makeNewer(path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		bucket, key := []byte("meta"), []byte("header")
		value := append([]byte(nil), tx.Bucket(bucket).Get(key)...)
		value[0]++
		text := append([]byte{value[0], byte(len(bucket))}, bucket...)
		text = binary.BigEndian.AppendUint32(text, uint32(len(key)))
		text = append(append(text, key...), value[5:]...)
		binary.BigEndian.PutUint32(value[1:], crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)))
		return tx.Bucket(bucket).Put(key, value)
	})
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

// checkLives wants a container to run as before, and the host to know it.
func (s *storm) checkLives(ctx context.Context, l *life, after string) {
	var v containerView
	err := s.insist(ctx, func() error { return s.site.client.call(ctx, "GET", "/containers/"+l.id, nil, &v) })
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.report.bad(others, "%v, after the store was %s: %v", l, after, err)
	case v.State != "running" || v.PID == 0:
		s.report.bad(others, "%v is %s after the store was %s", l, v.State, after)
	default:
		s.checkProcess(l, v.PID)
	}
	if len(l.starts()) != 1 || l.started != "" && len(s.alive(l)) != 1 {
		s.report.bad(otherProcess, "%v does not live after the store was %s", l, after)
	}
}
