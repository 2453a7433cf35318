package networks

import (
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"
)

// legacyTable returns a table of iptables-legacy with entries, and where they begin.
func newLegacyTable(entries ...entry) (table []byte, at []uint32) {
	for _, e := range entries {
		at = append(at, uint32(len(table)))
		table = append(table, e...)
	}
	return table, at
}

// newLegacyEntry returns an entry for packets that come by a link, unless that is empty, with
// some bytes of matches.
func newLegacyEntry(in string, matches int, target string, verdict int32) entry {
	const targetSize = 40
	e := make(entry, entrySize+matches+targetSize)
	copy(e[entryIn:], in)
	binary.NativeEndian.PutUint16(e[entryTarget:], uint16(entrySize+matches))
	binary.NativeEndian.PutUint16(e[entryNext:], uint16(len(e)))
	copy(e[entrySize+matches+targetName:], target)
	binary.NativeEndian.PutUint32(e[entrySize+matches+verdictAfter:], uint32(verdict))
	return e
}

func TestLegacyObstacle(t *testing.T) {
	const accept = -2
	drop, pass := newLegacyEntry("", 0, "", verdictDrop), newLegacyEntry("", 0, "", accept)
	ours := newLegacyEntry("davit+", 0, "", accept)
	for _, tt := range []struct {
		name    string
		entries []entry // the last is the policy
		want    bool
	}{
		{"drop", []entry{drop}, true},
		{"accept", []entry{pass}, false},
		{"drop, and a rule for another link", []entry{newLegacyEntry("eth0", 0, "", accept), drop}, true},
		{"drop, and a rule for ours", []entry{ours, drop}, false},
		{"accept, and at the end a rule that drops", []entry{drop, pass}, true},
		{"accept, and at the end a rule that rejects", []entry{newLegacyEntry("", 0, "REJECT", 0), pass}, true},
		{"accept, and rules that drop some", []entry{newLegacyEntry("", 48, "", verdictDrop), newLegacyEntry("eth0", 0, "", verdictDrop), pass}, false},
		{"accept, and another target", []entry{newLegacyEntry("", 0, "LOG", verdictDrop), pass}, false},
	} {
		table, at := newLegacyTable(tt.entries...)
		if got := legacyObstacle(table, at[0], at[len(at)-1], "davit"); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
	table, at := newLegacyTable(pass, drop)
	for n := range table { // whatever the kernel says
		for from := range n + 1 {
			legacyObstacle(table[:n], uint32(from), at[1], "davit")
		}
	}
}

// TestLegacyDrop asks the kernel for what iptables-legacy has set.
func TestLegacyDrop(t *testing.T) {
	need(t)
	program, err := exec.LookPath("iptables-legacy")
	if err != nil {
		t.Skip("needs iptables-legacy")
	}
	m, _ := open(t, t.TempDir())
	check := func(want bool, args ...string) {
		t.Helper()
		if len(args) > 0 {
			if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v: %s", args, err, out)
			}
		}
		if got, err := m.legacyDrops(); got != want || err != nil {
			t.Errorf("after %v: got %t, %v, want %t", args, got, err, want)
		}
		found, err := m.Obstacles()
		if err != nil || want != (len(found) == 1) || want && !strings.Contains(found[0].Hint, "iptables-legacy -I FORWARD -i dvtestn+ -j ACCEPT") {
			t.Errorf("after %v: got %v, %v", args, found, err)
		}
	}
	check(false)
	check(false, "-A", "FORWARD", "-s", "10.0.0.0/8", "-j", "DROP")
	check(true, "-P", "FORWARD", "DROP")
	check(true, "-A", "FORWARD", "-i", "eth0", "-j", "ACCEPT")
	check(false, "-I", "FORWARD", "-i", "dvtestn+", "-j", "ACCEPT")
	check(false, "-P", "FORWARD", "ACCEPT")
	check(false, "-F", "FORWARD")
	check(true, "-A", "FORWARD", "-j", "REJECT")
	check(false, "-F", "FORWARD")
}
