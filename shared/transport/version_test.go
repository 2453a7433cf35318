package transport

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// TestProtocolsAreNegotiated connects an executor that speaks several protocols to
// hosts that offer several.
func TestProtocolsAreNegotiated(t *testing.T) {
	tests := map[string]struct {
		speaks, offers []int
		want           int    // 0: refused
		says           string // the error then
		code           executor.Code
	}{
		"equal":                      {speaks: []int{1}, offers: []int{1}, want: 1},
		"newer host, old executor":   {speaks: []int{1}, offers: []int{2, 1}, want: 1},
		"old host, newer executor":   {speaks: []int{2, 1}, offers: []int{1}, want: 1},
		"both new":                   {speaks: []int{3, 2}, offers: []int{4, 3, 2}, want: 3},
		"executor is too new":        {speaks: []int{2}, offers: []int{1}, says: "executor x 1.0 speaks protocol 2, the host speaks protocol 1: upgrade davit, or install an older release of the executor"},
		"executor is much too new":   {speaks: []int{3, 2}, offers: []int{1}, says: "protocol 3, 2, the host speaks protocol 1: upgrade davit"},
		"executor is too old":        {speaks: []int{1}, offers: []int{3, 2}, says: "executor x 1.0 speaks protocol 1, the host speaks protocol 2: upgrade the executor, or install an older davit"},
		"executor answers at random": {speaks: []int{1, 7}, offers: []int{7}, says: "was asked for protocol 7 and answers in protocol 1", code: executor.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var heard []int
			host, _ := pair(t, nil, Handlers{MethodHello.Name: handle(func(_ context.Context, h Hello) (HelloReply, error) {
				heard = append(heard, h.Protocol)
				if !slices.Contains(tt.speaks, h.Protocol) {
					return HelloReply{}, Incompatible("executor x 1.0", tt.speaks, "the host", []int{h.Protocol})
				}
				if name == "executor answers at random" {
					h.Protocol = 1
				}
				return HelloReply{Protocol: h.Protocol}, nil
			})})
			reply, err := Client{Conn: host}.offer(t.Context(), Hello{}, tt.offers)
			if tt.want == 0 {
				if !errors.Is(err, cmp.Or(tt.code, executor.Unsupported)) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want %q", err, tt.says)
				}
			} else if err != nil || reply.Protocol != tt.want {
				t.Errorf("got protocol %d, %v; want %d", reply.Protocol, err, tt.want)
			}
			if !slices.IsSortedFunc(heard, func(a, b int) int { return b - a }) {
				t.Errorf("the offers were %v, want the newest first", heard)
			}
		})
	}
}

func TestHandshakeEnv(t *testing.T) {
	env := HandshakeEnv()
	if !slices.Contains(env, "PLUGIN_PROTOCOL_VERSIONS=1") {
		t.Errorf("got %q", env)
	}
	for _, protocol := range Protocols() {
		if !Speaks(protocol) || VersionedPlugins(PluginSet(nil, nil))[protocol] == nil {
			t.Errorf("protocol %d is not served", protocol)
		}
	}
	if Protocols()[0] != ProtocolVersion || Speaks(ProtocolVersion+1) {
		t.Errorf("the protocols are %v, the newest is %d", Protocols(), ProtocolVersion)
	}
}
