package store

import (
	"bytes"
	"errors"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte("id"), encode(containers, []byte("id"), []byte(`{"id":"id"}`)))
	f.Add([]byte(""), []byte(""))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		body, err := decode(containers, key, value)
		if err == nil && !bytes.Equal(encode(containers, key, body), value) {
			t.Errorf("%x decodes to %x, which encodes to something else", value, body)
		}
		if err != nil {
			var d *DamageError
			if !errors.As(err, &d) || d.Bucket != "containers" || executor.CodeOf(err) != executor.Internal {
				t.Errorf("error is %v", err)
			}
		}
		good := encode(containers, key, value)
		if got, err := decode(containers, key, good); err != nil || !bytes.Equal(got, value) {
			t.Errorf("%x came back as %x, %v", value, got, err)
		}
		for name, err := range map[string]error{
			"another bucket": second(decode(exits, key, good)),
			"another key":    second(decode(containers, append(bytes.Clone(key), 'x'), good)),
			"a changed byte": second(decode(containers, key, append(good[:len(good)-1:len(good)-1], good[len(good)-1]^1))),
		} {
			if err == nil {
				t.Errorf("%s went unnoticed", name)
			}
		}
	})
}

func second(_ []byte, err error) error { return err }

// FuzzInspect feeds any bytes to the reader of files.
func FuzzInspect(f *testing.F) {
	file, _, _, _ := pristine(f)
	f.Add(file[:16<<10], 100, byte(1))
	f.Add([]byte("short"), 0, byte(0))
	f.Fuzz(func(t *testing.T, file []byte, at int, b byte) {
		file = bytes.Clone(file)
		if at >= 0 && at < len(file) {
			file[at] ^= b
		}
		in := inspect(bytes.NewReader(file), int64(len(file)))
		if len(in.problems) == 0 && in.newer == 0 && in.header == nil {
			t.Error("a file without a header passed")
		}
	})
}
