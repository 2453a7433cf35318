package store

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// A commit is synced once, so that a power failure may leave any of its sectors
// unwritten. Whichever they are, the commit is there as a whole or not at all.
func TestPowerFailureDuringCommit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{KeepEvents: 20})
	snapshot := func() ([]byte, map[string]string) {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return file, contentsOf(t, s)
	}
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	counts := make(map[string]int)
	fileBefore, before := snapshot()
	for i := range 40 {
		mustUpdate(t, s, func(tx *Tx) error {
			for j := range 1 + rnd.IntN(3) {
				if err := create(fmt.Sprintf("c%d-%d", i, j))(tx); err != nil {
					return err
				}
			}
			if i > 5 {
				return tx.RemoveContainer(fmt.Sprintf("c%d-0", i-5))
			}
			return nil
		})
		file, want := snapshot()
		for try := range 8 {
			// Each sector that differs is there with a chance of its own. At first the
			// meta pages alone are.
			chance, written := rnd.Float64(), int64(0)
			if try == 0 {
				chance, written = 0, 2*int64(os.Getpagesize())
			}
			torn := append(bytes.Clone(fileBefore), make([]byte, len(file)-len(fileBefore))...)
			missing := false
			for at := 0; at < len(file); at += 512 {
				if !bytes.Equal(torn[at:at+512], file[at:at+512]) {
					if int64(at) < written || rnd.Float64() < chance {
						copy(torn[at:], file[at:at+512])
					} else {
						missing = true
					}
				}
			}
			what := fmt.Sprintf("seed %d, commit %d", seed, i)
			opened, err := Open(plant(t, torn, s.Info().HostID), Options{})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			got, d := contentsOf(t, opened), opened.Info().Damage
			if err := opened.Close(); err != nil {
				t.Error(err)
			}
			if d != nil && d.EventsLost { // the journal starts anew, the rest must be there
				maps.DeleteFunc(got, isEvent)
				want, before := maps.Clone(want), maps.Clone(before)
				maps.DeleteFunc(want, isEvent)
				maps.DeleteFunc(before, isEvent)
				if !maps.Equal(got, before) && !maps.Equal(got, want) {
					t.Errorf("%s: neither the commit nor the one before: %v", what, d)
				}
				counts["fell back"]++
				continue
			}
			switch {
			case maps.Equal(got, want):
				counts["committed"]++
			case maps.Equal(got, before) && missing:
				counts["not committed"]++
			default:
				t.Errorf("%s: neither the commit nor the one before: %v", what, d)
			}
		}
		fileBefore, before = file, want
	}
	t.Log(counts)
	for _, outcome := range []string{"committed", "not committed", "fell back"} {
		if counts[outcome] == 0 {
			t.Errorf("no failure ended as %s", outcome)
		}
	}
}

func isEvent(key, _ string) bool { return strings.HasPrefix(key, "events/") }

// TestKilled kills a process that writes, and looks for what it acknowledged.
func TestKilled(t *testing.T) {
	if path := os.Getenv("DAVIT_STORE_TEST_WRITER"); path != "" {
		writeUntilKilled(path)
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	acknowledged := make(map[string]bool)
	epoch := uint64(0)
	for round := range rounds {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "DAVIT_STORE_TEST_WRITER="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Alternately at any moment of its life, and when it is at work for sure.
		delay := time.Duration(rand.IntN(150)) * time.Millisecond
		kill := func() { cmd.Process.Kill() }
		if round%2 == 0 {
			time.AfterFunc(delay, kill)
		}
		first := true
		for lines := bufio.NewScanner(out); lines.Scan(); first = false {
			acknowledged[lines.Text()] = true
			if first && round%2 == 1 {
				time.AfterFunc(delay, kill)
			}
		}
		_ = cmd.Wait()

		s, err := Open(path, Options{KeepEvents: 1 << 20})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if d := s.Info().Damage; d != nil {
			t.Errorf("round %d: %v", round, d)
		}
		if s.Info().Epoch <= epoch {
			t.Errorf("round %d: epoch is %d after %d", round, s.Info().Epoch, epoch)
		}
		epoch = s.Info().Epoch
		mustView(t, s, func(tx *Tx) error {
			for id := range acknowledged {
				if _, err := tx.Exit(executor.Ref{ID: id, Attempt: 1}); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
			list, err := tx.Events(0, 1<<20)
			for i, e := range list {
				if e.Seq != uint64(i+1) {
					t.Errorf("round %d: event %d has sequence %d", round, i+1, e.Seq)
				}
			}
			return err
		})
		mustClose(t, s)
	}
	if len(acknowledged) < rounds/2 {
		t.Errorf("only %d updates were acknowledged in %d rounds", len(acknowledged), rounds)
	}
	t.Logf("%d kills, %d acknowledged updates", rounds, len(acknowledged))
}

// writeUntilKilled prints the id of each container whose exit is on disk.
func writeUntilKilled(path string) {
	s, err := Open(path, Options{KeepEvents: 1 << 20})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := range 8 {
		go func() {
			for j := 0; ; j++ {
				id := fmt.Sprintf("e%dw%dn%d", s.Info().Epoch, i, j)
				err := s.Update(context.Background(), func(tx *Tx) error {
					if err := create(id)(tx); err != nil {
						return err
					}
					_, _, err := tx.PutExit(executor.Ref{ID: id, Attempt: 1}, executor.Exit{Source: executor.Lost, Reason: strconv.Itoa(j)})
					return err
				})
				if err == nil {
					os.Stdout.WriteString(id + "\n") // one write, so that it is whole
				}
			}
		}()
	}
	select {}
}
