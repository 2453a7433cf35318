package shim_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// BenchmarkStartToExit measures /bin/true from the call of Create to its release and
// deletion, beside bare `runc run` of the same spec. The two alternate.
func BenchmarkStartToExit(b *testing.B) {
	f := newFixture(b, nil)
	var took [2][]time.Duration
	for i := 0; b.Loop(); i++ {
		for j, run := range []func(string){f.runcRun, f.runTrue} {
			start := time.Now()
			run(fmt.Sprintf("b%d-%d", i, j))
			took[j] = append(took[j], time.Since(start))
		}
	}
	for j := range took {
		slices.Sort(took[j])
	}
	bare, own := took[0][len(took[0])/2], took[1][len(took[1])/2]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(bare.Microseconds())/1000, "runc-ms")
	b.ReportMetric(float64(own.Microseconds())/1000, "shim-ms")
	b.ReportMetric(own.Seconds()/bare.Seconds(), "shim/runc")
}

// BenchmarkConcurrent measures containers a second.
func BenchmarkConcurrent(b *testing.B) {
	for _, atOnce := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(atOnce), func(b *testing.B) {
			f := newFixture(b, nil)
			var took [2]time.Duration
			for i := 0; b.Loop(); i++ {
				for j, run := range []func(string){f.runcRun, f.runTrue} {
					start := time.Now()
					var wg sync.WaitGroup
					for k := range atOnce {
						wg.Go(func() { run(fmt.Sprintf("b%d-%d-%d", i, j, k)) })
					}
					wg.Wait()
					took[j] += time.Since(start)
				}
			}
			b.ReportMetric(0, "ns/op")
			for j, name := range []string{"runc/s", "shim/s"} {
				b.ReportMetric(float64(atOnce*b.N)/took[j].Seconds(), name)
			}
		})
	}
}

// runTrue runs /bin/true to its end.
func (f *fixture) runTrue(id string) {
	ref := first(id)
	w := f.workload(ref, "", "")
	w.Spec = realtest.Spec(f.t, f.rootfs, nil, "/bin/true")
	if _, err := f.b.Create(f.t.Context(), w); err != nil {
		f.t.Error(err)
		return
	}
	f.host.WaitReleased(f.t, ref)
	if err := f.b.Delete(f.t.Context(), ref); err != nil {
		f.t.Error(err)
	}
}

// runcRun does the same with nothing but runc.
func (f *fixture) runcRun(id string) {
	bundle := filepath.Join(f.dir, id)
	spec := realtest.Spec(f.t, f.rootfs, map[string]any{"cgroupsPath": "/davit/" + f.b.Key() + "/" + id}, "/bin/true")
	if err := os.Mkdir(bundle, 0o700); err != nil {
		f.t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), spec, 0o600); err != nil {
		f.t.Error(err)
	}
	if out, err := exec.Command("runc", "--root", f.dir+"/runc", "run", "--bundle", bundle, id).CombinedOutput(); err != nil {
		f.t.Errorf("%v %s", err, out)
	}
}
