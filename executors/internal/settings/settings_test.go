package settings

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ body, want string }{
		{"", ""},
		{`{"name":"b"}`, ""},
		{`{"nmae":"b"}`, "nmae"},
		{`{"name":5}`, "Name"},
		{`{`, "unexpected EOF"},
	} {
		v := struct{ Name string }{"a"}
		found := Decode(json.RawMessage(tt.body), &v, "runtime", "x")
		err := Refuse(found)
		if tt.want == "" {
			if err != nil || v.Name != "a" && tt.body == "" || v.Name != "b" && tt.body != "" {
				t.Errorf("%s: got %+v, %v", tt.body, v, err)
			}
			continue
		}
		if !errors.Is(err, executor.Invalid) || !strings.HasPrefix(err.Error(), "runtime.x: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.body, err, tt.want)
		}
	}
}

func TestRefuseTellsTheFirst(t *testing.T) {
	var found Findings
	found.Add("one", "do this", "%q is wrong", "x")
	found.Add("two", "", "no")
	if err := Refuse(found); err == nil || err.Error() != `config.one: "x" is wrong` {
		t.Errorf("got %v", err)
	}
}
