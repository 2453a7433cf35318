package output

import (
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkLatency measures the time from the write of a line until a reader has
// it, beside a pipe.
func BenchmarkLatency(b *testing.B) {
	line := []byte("2026-01-02T03:04:05Z a line of a log as they are: some eighty bytes long or so\n")
	measure := func(b *testing.B, w io.Writer, read func()) {
		var times []time.Duration
		ready := make(chan struct{})
		sent := make(chan time.Time, 1)
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for range ready {
				time.Sleep(200 * time.Microsecond) // let the reader wait
				sent <- time.Now()
				if _, err := w.Write(line); err != nil {
					b.Error(err)
				}
			}
		}()
		for b.Loop() {
			ready <- struct{}{}
			read()
			times = append(times, time.Since(<-sent))
		}
		close(ready)
		<-stop
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("file", func(b *testing.B) {
		w := newWatcher(b)
		files := newFiles(b, true)
		r := newReader(b, w, files, ReadOptions{Done: make(chan struct{})})
		measure(b, appendTo(b, files.Stdout), func() {
			if _, err := r.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("pipe", func(b *testing.B) {
		r, w, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		buf := make([]byte, 4096)
		measure(b, w, func() {
			if _, err := r.Read(buf); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// BenchmarkThroughput writes 256 MB in pieces of 32 KB, as a shim does, while it
// is read, beside a pipe.
func BenchmarkThroughput(b *testing.B) {
	const size, piece = 256 << 20, 32 << 10
	data := make([]byte, piece)
	fill := func(b *testing.B, w io.Writer) {
		for range size / piece {
			if _, err := w.Write(data); err != nil {
				b.Error(err)
			}
		}
	}
	file := func(b *testing.B, limit int64) {
		b.SetBytes(size)
		w := newWatcher(b)
		tr, _ := newTracker(b, w)
		var held, missed int64
		for b.Loop() {
			files := newFiles(b, true)
			if err := tr.Add(capped(files, limit)); err != nil {
				b.Fatal(err)
			}
			done := make(chan struct{})
			r := newReader(b, w, files, ReadOptions{Done: done})
			f := appendTo(b, files.Stdout)
			go func() {
				fill(b, f)
				close(done)
			}()
			n := 0
			for {
				c, err := r.Next(b.Context())
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				n += len(c.Data) + int(c.Dropped)
				missed += c.Dropped
				if st := new(unix.Stat_t); unix.Fstat(int(f.Fd()), st) == nil {
					held = max(held, st.Blocks*512)
				}
			}
			if n != size {
				b.Fatalf("read %d bytes of %d", n, size)
			}
			r.Close()
			tr.Remove(webRef)
			os.Remove(files.Stdout)
		}
		b.ReportMetric(float64(held>>20), "MiB-held")
		b.ReportMetric(100*float64(missed)/float64(size)/float64(b.N), "%-missed")
	}
	b.Run("file", func(b *testing.B) { file(b, 0) })
	b.Run("file/cap=64MiB", func(b *testing.B) { file(b, 64<<20) })
	b.Run("file/cap=8MiB", func(b *testing.B) { file(b, 8<<20) })
	b.Run("pipe", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			r, w, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			go func() {
				fill(b, w)
				w.Close()
			}()
			buf := make([]byte, readSize)
			for err == nil {
				_, err = r.Read(buf)
			}
			r.Close()
		}
	})
}
