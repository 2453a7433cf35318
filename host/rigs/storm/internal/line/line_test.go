package line

import "testing"

func TestParse(t *testing.T) {
	for n := range uint64(300) {
		text := Append(nil, 'o', n)
		text = text[:len(text)-1]
		if got, ok := Parse(text, 'o'); !ok || got != n {
			t.Fatalf("got %d, %t for %q", got, ok, text)
		}
		if _, ok := Parse(text, 'e'); ok {
			t.Errorf("line %d passes for one of the other stream", n)
		}
		for cut := range text {
			if _, ok := Parse(text[:cut], 'o'); ok {
				t.Errorf("line %d passes when it is cut after %d bytes", n, cut)
			}
			if _, ok := Parse(text[cut+1:], 'o'); ok {
				t.Errorf("line %d passes without its first %d bytes", n, cut+1)
			}
		}
	}
}
