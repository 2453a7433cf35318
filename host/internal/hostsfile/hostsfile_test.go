package hostsfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	if err := Sync(path, []string{"10.1.0.2\ta"}); err != nil {
		t.Errorf("without a file: %v", err)
	}
	const own = "127.0.0.1\tlocalhost\n10.9.9.9\tmine"
	if err := os.WriteFile(path, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		lines []string
		want  string
	}{
		{nil, own},
		{[]string{"10.1.0.2\ta", "10.1.0.3\tb"}, own + "\n10.1.0.2\ta\t# davit\n10.1.0.3\tb\t# davit\n"},
		{[]string{"10.1.0.3\tb", "10.1.0.2\ta"}, own + "\n10.1.0.2\ta\t# davit\n10.1.0.3\tb\t# davit\n"},
		{[]string{"10.1.0.3\tb", "10.1.0.4\ta"}, own + "\n#0.1.0.2\ta\t# davit\n10.1.0.3\tb\t# davit\n10.1.0.4\ta\t# davit\n"},
		{nil, own + "\n#0.1.0.2\ta\t# davit\n#0.1.0.3\tb\t# davit\n#0.1.0.4\ta\t# davit\n"},
		{nil, own + "\n"},
		{[]string{"10.1.0.5\tc"}, own + "\n10.1.0.5\tc\t# davit\n"},
	} {
		if err := Sync(path, tt.lines); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != tt.want {
			t.Errorf("with %q:\ngot  %q\nwant %q", tt.lines, got, tt.want)
		}
	}
	if err := os.WriteFile(path, make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Sync(path, []string{"10.1.0.2\ta"}); err == nil || !strings.Contains(err.Error(), "is left alone") {
		t.Errorf("a file that is too large: got %v", err)
	}
}

// TestMove gives the names of an address another one, except those that Sync keeps.
func TestMove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	if err := Move(path, "10.1.0.2", "10.2.0.2"); err != nil {
		t.Errorf("without a file: %v", err)
	}
	for text, want := range map[string]string{
		"127.0.0.1\tlocalhost\n10.1.0.2\tme\n10.1.0.20\tother\n10.1.0.2\ta\t# davit\n": "127.0.0.1\tlocalhost\n#0.1.0.2\tme\n10.1.0.20\tother\n10.1.0.2\ta\t# davit\n10.2.0.2\tme\n",
		"10.1.0.2\tme": "#0.1.0.2\tme\n10.2.0.2\tme\n",
		"10.3.0.2\tme": "10.3.0.2\tme",
		"":             "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Move(path, "10.1.0.2", "10.2.0.2"); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	if err := os.WriteFile(path, []byte("10.1.0.2\tme\nfd77::2\tme\nfd77::2\ta\t# davit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Move(path, "fd77::2", ""); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "10.1.0.2\tme\n#d77::2\tme\nfd77::2\ta\t# davit\n" {
		t.Errorf("without another address: got %q", got)
	}
}

// TestReaders reads while other lines come and go: the one that stays is always there.
func TestReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const stays = "10.1.0.2\tstays"
	if err := Sync(path, []string{stays}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				text, err := os.ReadFile(path)
				if err != nil || !strings.Contains(string(text), stays+mark+"\n") {
					t.Errorf("got %q, %v", text, err)
					return
				}
			}
		})
	}
	for i := range 200 {
		lines := []string{stays}
		for j := range i % 7 {
			lines = append(lines, fmt.Sprintf("10.1.1.%d\tcomes-and-goes-%d", j, i))
		}
		if err := Sync(path, lines); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
}
