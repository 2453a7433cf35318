package shim

import (
	"encoding/json"
	"testing"
)

// FuzzAnswer reads what a foreign shim prints when it is started.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"unix:///run/containerd/s/abc\n", `{"version":3,"address":"unix:///x","protocol":"ttrpc"}`, `{"version":2,"address":"","protocol":"grpc"}`,
		"\x08\x02\x12\x0bunix:///a/b\x1a\x05ttrpc", "", "panic: runtime error",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseAnswer(text)
		if err == nil && (c.Version < 2 || c.Version > 3) {
			t.Errorf("%q: got %+v", text, c)
		}
		if err == nil {
			_, _ = c.socket()
		}
	})
}

// FuzzRecord reads a record, which a disk may have changed.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"ref":{"id":"a","attempt":1},"namespace":"x","shim":"/x"}`))
	f.Add([]byte(`{"ref":null}`))
	f.Fuzz(func(_ *testing.T, body []byte) {
		var r record
		var c contact
		_ = json.Unmarshal(body, &r)
		if json.Unmarshal(body, &c) == nil {
			_, _ = c.socket()
		}
	})
}
