package strict

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestExplain(t *testing.T) {
	type part struct {
		Time  time.Time `json:"time"`
		Sizes []int8    `json:"sizes"`
	}
	type whole struct {
		part
		Name  string            `json:"name"`
		Parts map[string]*part  `json:"parts"`
		Other map[string]string `json:"other"`
		Yes   bool              `json:"yes"`
		Count uint16            `json:"count"`
		Raw   []byte            `json:"raw"`
	}
	for text, want := range map[string]string{
		`{"name":1}`:                     `"name" must be a string, not a number`,
		`{"name":["x"]}`:                 `"name" must be a string, not a list`,
		`{"yes":"true"}`:                 `"yes" must be true or false, not a string`,
		`{"count":-1}`:                   `"count" must be a whole number of 16 bits that is not negative, not number -1`,
		`{"sizes":[1,2,300]}`:            `"sizes[2]" must be a whole number of 8 bits, not number 300`,
		`{"parts":{"a":{"sizes":true}}}`: `"parts.a.sizes" must be a list, not true or false`,
		`{"time":5}`:                     `"time" must be a time as in RFC 3339, such as 2006-01-02T15:04:05Z`,
		`{"other":{"k":{}}}`:             `"other.k" must be a string, not an object`,
		`{"raw":7}`:                      `"raw" must be a string of base64, not a number`,
		`[]`:                             `the document must be an object, not a list`,
		`{"name":`:                       `it is not JSON, at byte 8: unexpected end of JSON input`,
	} {
		err := json.Unmarshal([]byte(text), &whole{})
		if err == nil {
			t.Fatal(text)
		}
		if got := Explain([]byte(text), reflect.TypeFor[whole](), err).Error(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
