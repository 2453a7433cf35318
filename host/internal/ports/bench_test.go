package ports_test

import (
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Benchmark compares a connection through a holder with a direct one: the throughput of a
// download, the time of an exchange over a connection that there is, and of one with a new
// connection. It reports the memory of the holder.
func Benchmark(b *testing.B) {
	const chunk = 1 << 20
	data := make([]byte, chunk)
	download := serveTCP(b, func(c *net.TCPConn) {
		for {
			if _, err := c.Write(data); err != nil {
				return
			}
		}
	})
	ping := serveTCP(b, echo)
	s := open(b, b.TempDir())
	for _, at := range [][3]string{
		{"direct", net.JoinHostPort(target.String(), strconv.Itoa(int(download.ContainerPort))), net.JoinHostPort(target.String(), strconv.Itoa(int(ping.ContainerPort)))},
		{"holder", s.hold("a", download)[0].Outer(), s.hold("b", ping)[0].Outer()},
	} {
		connect := func(b *testing.B, to string) net.Conn {
			b.Helper()
			c, err := net.Dial("tcp", to)
			if err != nil {
				b.Fatal(err)
			}
			return c
		}
		b.Run("download/"+at[0], func(b *testing.B) {
			c := connect(b, at[1])
			defer c.Close()
			b.SetBytes(chunk)
			for b.Loop() {
				if _, err := io.ReadFull(c, make([]byte, chunk)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("exchange/"+at[0], func(b *testing.B) {
			c := connect(b, at[2])
			defer c.Close()
			for b.Loop() {
				if _, err := say(c, "x"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("connection/"+at[0], func(b *testing.B) {
			for b.Loop() {
				c := connect(b, at[2])
				if _, err := say(c, "x"); err != nil {
					b.Fatal(err)
				}
				_ = c.Close()
			}
		})
	}
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(residentMB(b, s.pid("a")), "MB")
	})
}

// residentMB returns how much memory a process has.
func residentMB(t testing.TB, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return float64(kb) / 1024
}
