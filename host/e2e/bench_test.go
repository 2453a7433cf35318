package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkStartToExit measures /bin/true from the command line to its exit code:
// `davit run` with each shim, beside `ctr run` on the same daemon and bare `runc
// run`. The contenders take turns in one loop, so that they share whatever else
// the machine does. It reports each one's median in ms, and its ratio to ctr.
//
// The path is the durable one: the record of a container is on disk before it is
// started, and its exit before the executor deletes the task.
func BenchmarkStartToExit(b *testing.B) {
	for name, daemon := range map[string]string{"debian": debian, "newest": newest} {
		b.Run(name, func(b *testing.B) {
			need(b, daemon)
			s := newSite(b, containerdBackend("main", daemon, ""))
			contenders := s.contenders(daemon, served[name][1:len(served[name])-1])
			took := make([][]time.Duration, len(contenders))
			for i := 0; b.Loop(); i++ {
				for j, c := range contenders {
					start := time.Now()
					if out, err := c.command(fmt.Sprintf("b%d", i)).CombinedOutput(); err != nil {
						b.Fatalf("%s: %v %s", c.name, err, out)
					}
					took[j] = append(took[j], time.Since(start))
				}
			}
			b.ReportMetric(0, "ns/op") // the sum over all says nothing
			ctr := median(took[1])
			for j, c := range contenders {
				b.ReportMetric(ms(median(took[j])), c.name+"-ms")
				b.ReportMetric(ms(median(took[j]))/ms(ctr), c.name+"/ctr")
			}
		})
	}
}

// BenchmarkConcurrent measures containers a second, 16 at once.
func BenchmarkConcurrent(b *testing.B) {
	const atOnce = 16
	need(b, debian)
	s := newSite(b, containerdBackend("main", debian, ""))
	contenders := s.contenders(debian, []string{"io.containerd.runc.v2"})
	took := make([]time.Duration, len(contenders))
	for i := 0; b.Loop(); i++ {
		for j, c := range contenders {
			start := time.Now()
			var wg sync.WaitGroup
			for k := range atOnce {
				wg.Go(func() {
					if out, err := c.command(fmt.Sprintf("b%d-%d", i, k)).CombinedOutput(); err != nil {
						b.Errorf("%s: %v %s", c.name, err, out)
					}
				})
			}
			wg.Wait()
			took[j] += time.Since(start)
		}
	}
	b.ReportMetric(0, "ns/op")
	for j, c := range contenders {
		b.ReportMetric(float64(atOnce*b.N)/took[j].Seconds(), c.name+"/s")
	}
}

type contender struct {
	name    string
	command func(id string) *exec.Cmd
}

// contenders are bare runc, ctr, and davit with each runtime. ctr is second.
func (s *site) contenders(daemon string, runtimes []string) []contender {
	s.t.Helper()
	bundle := filepath.Join(s.dir, "bundle")
	if err := os.Mkdir(bundle, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if out, err := exec.Command("runc", "spec", "--bundle", bundle).CombinedOutput(); err != nil {
		s.t.Fatalf("%v %s", err, out)
	}
	spec, err := os.ReadFile(bundle + "/config.json")
	if err != nil {
		s.t.Fatal(err)
	}
	text := strings.NewReplacer(`"terminal": true`, `"terminal": false`, `"sh"`, `"/bin/true"`, `"path": "rootfs"`, fmt.Sprintf(`"path": %q`, rootfs)).Replace(string(spec))
	if err := os.WriteFile(bundle+"/config.json", []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	sockets, _ := filepath.Glob(filepath.Join(s.dir, "run/backends/main/x/containerd.sock"))
	if len(sockets) != 1 {
		s.t.Fatalf("the backend's containerd has no socket below %s", s.dir)
	}
	all := []contender{
		{"runc", func(id string) *exec.Cmd {
			return exec.Command("runc", "--root", s.dir+"/runc", "run", "--bundle", bundle, id)
		}},
		{"ctr", func(id string) *exec.Cmd {
			return exec.Command(filepath.Join(filepath.Dir(daemon), "ctr"), "-a", sockets[0], "run", "--rm", "--rootfs", rootfs, "ctr-"+id, "/bin/true")
		}},
	}
	for _, runtime := range runtimes {
		all = append(all, contender{strings.TrimPrefix(runtime, "io.containerd."), func(string) *exec.Cmd {
			return s.command("run", "--rm", "--runtime", runtime, "--rootfs", rootfs, "/bin/true")
		}})
	}
	return all
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
