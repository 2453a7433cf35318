package ports

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParseSockets(t *testing.T) {
	const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 100 0 0 10 0
   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1
   3: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1
nonsense
   4: XYZ:0050 a b 0A c d e f g h
`
	want := []socket{
		{netip.MustParseAddrPort("127.0.0.1:8080"), "4711"}, {netip.MustParseAddrPort("[::1]:80"), "4713"}, {netip.MustParseAddrPort("127.0.0.1:81"), "4714"},
	}
	if got := parseSockets(strings.NewReader(text), true); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
