package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestRecordsAreBounded(t *testing.T) {
	s := openTemp(t)
	huge := strings.Repeat("ü", 1<<20)
	c := sample("a")
	c.Command = []string{"sh", "-c", huge, "more"}
	c.Error = huge
	mustUpdate(t, s, func(tx *Tx) error {
		if err := tx.CreateContainer(c, json.RawMessage(`{}`)); err != nil {
			return err
		}
		if _, _, err := tx.PutExit(c.Ref(), *executor.LostExit(huge)); err != nil {
			return err
		}
		_, err := tx.Append(Event{Type: "container.failed", Data: map[string]string{"error": huge}})
		return err
	})
	mustView(t, s, func(tx *Tx) error {
		got, err := tx.Container("a")
		if err != nil {
			return err
		}
		exit, err := tx.Exit(c.Ref())
		if err != nil {
			return err
		}
		events, err := tx.Events(0, 10)
		if err != nil {
			return err
		}
		for what, text := range map[string]string{"error": got.Error, "reason": exit.Reason, "event": events[0].Data["error"]} {
			if len(text) > maxText+30 || !strings.HasSuffix(text, "ü… (2097152 bytes)") {
				t.Errorf("%s: got %d bytes, ending with %q", what, len(text), text[max(0, len(text)-30):])
			}
		}
		if n := len(strings.Join(got.Command, " ")); n > maxText+3 || len(got.Command) != 3 || !strings.HasSuffix(got.Command[2], "ü…") {
			t.Errorf("command: got %d arguments, %d bytes", len(got.Command), n)
		}
		return nil
	})
	c = sample("b")
	c.Labels = map[string]string{"k": strings.Repeat("x", maxLabels)}
	err := s.Update(t.Context(), func(tx *Tx) error { return tx.CreateContainer(c, json.RawMessage(`{}`)) })
	if !errors.Is(err, executor.Invalid) || !strings.HasPrefix(err.Error(), "the labels have 65537 bytes, at most 65536 are allowed") {
		t.Errorf("labels: got %v", err)
	}
}

func TestOldExitsAreTrimmed(t *testing.T) {
	s := openTemp(t)
	c := sample("a")
	mustUpdate(t, s, create("a"))
	mustUpdate(t, s, create("ab")) // whose exits are next to those of a
	code := 0
	put := func(id string, attempt int) {
		mustUpdate(t, s, func(tx *Tx) error {
			c, err := tx.Container(id)
			if err != nil {
				return err
			}
			c.Attempt = max(c.Attempt, attempt)
			if err := tx.PutContainer(c); err != nil {
				return err
			}
			_, _, err = tx.PutExit(executor.Ref{ID: id, Attempt: attempt}, executor.Exit{Code: &code, Source: executor.Observed})
			return err
		})
	}
	put("ab", 1)
	for attempt := 1; attempt <= 3*keepExits; attempt++ {
		if attempt%7 != 0 { // some could not be started
			put(c.ID, attempt)
		}
	}
	put(c.ID, 1) // a late report
	mustView(t, s, func(tx *Tx) error {
		n := 0
		for range tx.scanOf(exits, "a") {
			n++
		}
		if n == 0 || n > keepExits {
			t.Errorf("got %d exits, want at most %d", n, keepExits)
		}
		for _, ref := range []executor.Ref{{ID: "a", Attempt: 3*keepExits - 1}, {ID: "ab", Attempt: 1}} {
			if _, err := tx.Exit(ref); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
}

func TestFileShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{})
	first := s.Info()
	spec := json.RawMessage(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`)
	for i := range 40 {
		mustUpdate(t, s, func(tx *Tx) error { return tx.CreateContainer(sample(fmt.Sprintf("c%d", i)), spec) })
	}
	mustUpdate(t, s, create("kept"))
	for i := range 40 {
		mustUpdate(t, s, func(tx *Tx) error { return tx.RemoveContainer(fmt.Sprintf("c%d", i)) })
	}
	mustClose(t, s)
	if info, err := os.Stat(path); err != nil || info.Size() < 40<<20 {
		t.Fatalf("got %v, %v; want a large file", info.Size(), err)
	}
	s = openAt(t, path, Options{})
	if info, err := os.Stat(path); err != nil || info.Size() > 4<<20 {
		t.Errorf("got %d bytes, %v; want a small file", info.Size(), err)
	}
	if got := s.Info(); got.HostID != first.HostID || got.Epoch <= first.Epoch || got.Damage != nil {
		t.Errorf("got %+v, was %+v", got, first)
	}
	mustView(t, s, func(tx *Tx) error {
		c, err := tx.Find("name-kept")
		if err != nil || c.ID != "kept" {
			t.Errorf("got %+v, %v", c, err)
		}
		if events, err := tx.Events(0, 10); err != nil || len(events) != 1 || events[0].Seq != 1 {
			t.Errorf("got %+v, %v; want the event that was there", events, err)
		}
		return nil
	})
	mustUpdate(t, s, create("more"))
	mustClose(t, s)
	s = openAt(t, path, Options{})
	if s.Info().Damage != nil {
		t.Errorf("opened again: got %+v", s.Info())
	}
}
