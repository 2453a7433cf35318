package process_test

import (
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// BenchmarkTrue measures from the call of Create to Released, and beside it the least
// that this could cost.
func BenchmarkTrue(b *testing.B) {
	b.Run("exec", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("process", func(b *testing.B) {
		f := newFixture(b, "{}")
		f.host.onEnd = make(chan executor.Ref, 1)
		spec := command("")
		spec.Process.Args = []string{"/bin/true"}
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			ref := first(fmt.Sprintf("true-%d", i))
			begin := time.Now()
			f.run(ref, spec)
			<-f.host.onEnd
			took = append(took, time.Since(begin))
			b.StopTimer()
			if err := f.b.Delete(b.Context(), ref); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[0].Microseconds())/1000, "min-ms")
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	})
}
