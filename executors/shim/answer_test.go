package shim_test

import (
	"testing"

	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	"github.com/davit-run/davit/executors/shim"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/protobuf/proto"
)

// TestAnswersOfShims checks the three ways in which shims answer a start, by the
// containerd that they come from.
func TestAnswersOfShims(t *testing.T) {
	message, err := proto.Marshal(&bootapi.BootstrapResult{Version: 3, Address: "unix:///run/s/1", Protocol: "ttrpc"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, answer, address string
		version               int
	}{
		{"1.7", "unix:///run/s/1\n", "unix:///run/s/1", 2},
		{"2.0", `{"version":3,"address":"unix:///run/s/1","protocol":"ttrpc"}` + "\n", "unix:///run/s/1", 3},
		{"2.3", string(message), "unix:///run/s/1", 3},
		{"a later API", `{"version":4,"address":"unix:///run/s/1","protocol":"ttrpc"}`, "", 0},
		{"another protocol", `{"version":3,"address":"unix:///run/s/1","protocol":"grpc"}`, "", 0},
	} {
		address, version, err := shim.ParseAnswer([]byte(tt.answer))
		if address != tt.address || version != tt.version || (executor.CodeOf(err) == executor.Unsupported) != (tt.version == 0) {
			t.Errorf("%s: got %q, version %d, %v", tt.name, address, version, err)
		}
	}
	for version, legacy := range map[string]bool{"1.6.20~ds1": true, "1.7.24": true, "2.2.9": true, "2.3.0": false, "3.0.0": false, "": false} {
		if got := shim.BootLegacy(version); got != legacy {
			t.Errorf("a shim of %q is started the old way: got %t", version, got)
		}
	}
}
