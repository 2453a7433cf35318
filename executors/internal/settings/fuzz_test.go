package settings

import (
	"encoding/json"
	"testing"
)

func FuzzDecode(f *testing.F) {
	for _, body := range []string{`{"name":"a","list":["b"]}`, `{"nme":"a"}`, `[]`, `{"name":1}`, ``, `{"name":"a"}x`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v struct {
			Name string   `json:"name"`
			List []string `json:"list"`
		}
		if found := Decode(body, &v, "config"); len(found) == 0 && len(body) > 0 && !json.Valid(body) {
			t.Errorf("%q was accepted as %+v", body, v)
		}
	})
}
