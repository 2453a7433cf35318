package linux

import (
	"os"
	"slices"
	"testing"
)

func TestOnlyCleanMappingsAreDropped(t *testing.T) {
	const text = `00400000-00f4f000 r-xp 00000000 fe:00 10023097                           /usr/libexec/davit-host
Size:              11580 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
00f4f000-01be2000 r--p 00b4f000 fe:00 10023097                           /relocated
Anonymous:             4 kB
Swap:                  0 kB
01be2000-01be3000 r--p 00b4f000 fe:00 10023097                           /swapped
Anonymous:             0 kB
Swap:                  4 kB
01be3000-01c87000 rw-p 017e2000 fe:00 10023097                           /writable
Anonymous:             0 kB
01c87000-03cd4000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f00000000-7f00001000 r--s 00000000 fe:00 1                              /shared
Anonymous:             0 kB
7fff000000-7fff001000 r-xp 00000000 00:00 0                              [vdso]
Anonymous:             0 kB
`
	var dropped []string
	for _, m := range parseSmaps([]byte(text)) {
		if m.clean() {
			dropped = append(dropped, m.file)
		}
	}
	if !slices.Equal(dropped, []string{"/usr/libexec/davit-host"}) {
		t.Errorf("dropped are %q", dropped)
	}
	own, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	if all := parseSmaps(own); !slices.ContainsFunc(all, mapping.clean) {
		t.Errorf("nothing of this process is clean: %+v", all)
	}
	Shrink() // and this goes on
}
