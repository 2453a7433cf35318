package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
)

// A bench backend is a row of the benchmarks.
type benchBackend struct {
	name string
	// block is the rest of its backend block.
	block string
	// runtimes are measured apart; "" is the default one.
	runtimes []string
	// true and sleep are the arguments of `davit run` for a program that ends at
	// once, and one that does not; nil leaves the backend out where that is needed.
	true, sleep []string
}

func benchBackends() []benchBackend {
	ends, sleeps := []string{"--rootfs", rootfs, "/bin/true"}, []string{"--rootfs", rootfs, "/bin/sleep", "1000"}
	containerd := func(daemon string) string {
		return fmt.Sprintf("executor = \"containerd\"\nconfig { containerd = %q }", daemon)
	}
	return []benchBackend{
		{"containerd-1", containerd(debian), []string{"", "io.containerd.runc.v1"}, ends, sleeps},
		{"containerd-2", containerd(newest), []string{""}, ends, sleeps},
		{"shim", `executor = "shim"`, []string{""}, ends, sleeps},
		{"process", `executor = "process"`, []string{""}, ends, sleeps},
		{"wasm", `executor = "wasm"`, []string{""}, ends, nil},
	}
}

// contender is somebody who runs /bin/true.
type contender struct {
	name string
	run  func(id string) error
}

// command is a contender that is a command line.
func command(name string, make func(id string) *exec.Cmd) contender {
	return contender{name, func(id string) error {
		if out, err := make(id).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}}
}

// wasmTrue is a WebAssembly module that ends at once: a function _start that does
// nothing. Beside a program, the wasm executor runs it by the program's name.
const wasmTrue = "\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" +
	"\x07\x0a\x01\x06_start\x00\x00" + "\x0a\x04\x01\x02\x00\x0b"

// contenders are bare runc, ctr on the first containerd, and davit with each
// backend and runtime: from its command line, and where the name ends in /api from a
// program that is a client of its API, as platforms do it, without the start of a
// command.
func contenders(b *testing.B) []contender {
	need(b, debian, newest)
	if err := os.WriteFile(filepath.Join(rootfs, "bin/true.wasm"), []byte(wasmTrue), 0o644); err != nil {
		b.Fatal(err)
	}
	rows := benchBackends()
	var blocks []string
	for _, row := range rows {
		blocks = append(blocks, fmt.Sprintf("backend %q {\n%s\n}\n", row.name, row.block))
	}
	s := newSite(b, blocks...)
	bundle := s.bundle()
	socket := filepath.Join(s.dir, "run/backends", rows[0].name, "x/containerd.sock")
	all := []contender{
		command("runc", func(id string) *exec.Cmd {
			return exec.Command("runc", "--root", s.dir+"/runc", "run", "--bundle", bundle, id)
		}),
		command("ctr", func(id string) *exec.Cmd {
			return exec.Command("ctr", "-a", socket, "run", "--rm", "--rootfs", rootfs, "ctr-"+id, "/bin/true")
		}),
	}
	client := api.NewClient(filepath.Join(s.dir, "run/davit.sock"))
	b.Cleanup(client.Close)
	for _, row := range rows {
		for _, runtime := range row.runtimes {
			args := append([]string{"run", "--rm", "--backend", row.name, "--runtime", runtime}, row.true...)
			name := strings.TrimSuffix(row.name+"/"+strings.TrimPrefix(runtime, "io.containerd."), "/")
			all = append(all, command(name, func(string) *exec.Cmd { return s.command(args...) }))
		}
		opts := api.ContainerOptions{Backend: row.name, AutoRemove: true, Rootfs: rootfs, Process: ocispec.Options{Args: []string{"/bin/true"}}}
		all = append(all, contender{row.name + "/api", func(string) error {
			_, err := client.RunAttached(context.Background(), opts, api.Attachment{})
			return err
		}})
	}
	return all
}

// bundle makes a bundle for bare runc.
func (s *site) bundle() string {
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
	return bundle
}

// BenchmarkStartToExit measures /bin/true from the command line to its exit code,
// on each backend, beside `ctr run` and bare `runc run`. The contenders alternate
// in one loop, so that they share whatever else the machine does. It reports each
// one's median in ms, and its ratio to runc's.
//
// The path is the durable one: the record of a container is on disk before it is
// started, and its exit before the executor deletes the task.
func BenchmarkStartToExit(b *testing.B) {
	all := contenders(b)
	took := make([][]time.Duration, len(all))
	for i := 0; b.Loop(); i++ {
		for j, c := range all {
			start := time.Now()
			c.mustRun(b, fmt.Sprintf("b%d", i))
			took[j] = append(took[j], time.Since(start))
		}
	}
	b.ReportMetric(0, "ns/op") // the sum over all says nothing
	runc := median(took[0])
	for j, c := range all {
		b.ReportMetric(ms(median(took[j])), c.name+"-ms")
		b.ReportMetric(ms(median(took[j]))/ms(runc), c.name+"/runc")
	}
}

// BenchmarkConcurrent measures containers a second, some at once, with the
// contenders and rules of BenchmarkStartToExit, and reports ratios to ctr.
func BenchmarkConcurrent(b *testing.B) {
	for _, atOnce := range []int{1, 4, 16} {
		b.Run(strconv.Itoa(atOnce), func(b *testing.B) {
			all := contenders(b)
			took := make([]time.Duration, len(all))
			for i := 0; b.Loop(); i++ {
				for j, c := range all {
					start := time.Now()
					var wg sync.WaitGroup
					for k := range atOnce {
						wg.Go(func() { c.mustRun(b, fmt.Sprintf("b%d-%d", i, k)) })
					}
					wg.Wait()
					took[j] += time.Since(start)
				}
			}
			b.ReportMetric(0, "ns/op")
			for j, c := range all {
				b.ReportMetric(float64(atOnce*b.N)/took[j].Seconds(), c.name+"/s")
				b.ReportMetric(took[1].Seconds()/took[j].Seconds(), c.name+"/ctr")
			}
		})
	}
}

func (c contender) mustRun(b *testing.B, id string) {
	if err := c.run(id); err != nil {
		b.Errorf("%s: %v", c.name, err)
	}
}

// BenchmarkMemory measures what a container that sleeps costs beside its own
// process, in KiB of memory that is not shared (PSS): of its shim or monitor, and
// of the growth of executor and host.
func BenchmarkMemory(b *testing.B) {
	const containers = 20
	for _, row := range benchBackends() {
		if row.sleep == nil {
			continue
		}
		b.Run(row.name, func(b *testing.B) {
			need(b, debian, newest)
			for b.Loop() {
				s := newSite(b, fmt.Sprintf("backend %q {\n%s\n}\n", row.name, row.block))
				start := func() int {
					return s.inspect(s.must(append([]string{"run", "-d"}, row.sleep...)...)).PID
				}
				start() // what is made once is not counted
				executor, host := s.backend(row.name).PID, s.serve.Process.Pid
				beforeExecutor, beforeHost := pss(b, executor), pss(b, host)
				shims := 0
				for range containers {
					if shim := parent(b, start()); shim != executor && shim != 1 {
						shims += pss(b, shim)
					}
				}
				b.ReportMetric(float64(shims)/containers, "shim-KiB")
				b.ReportMetric(float64(pss(b, executor)-beforeExecutor)/containers, "executor-KiB")
				b.ReportMetric(float64(pss(b, host)-beforeHost)/containers, "host-KiB")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// pss returns the memory of a process in KiB, with its part of what it shares.
func pss(b testing.TB, pid int) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == "Pss:" {
			n, _ := strconv.Atoi(string(fields[1]))
			return n
		}
	}
	b.Fatalf("no Pss of process %d", pid)
	return 0
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// reportPairs reports how long contenders took, and each second one also as a ratio to the one
// before it, which is called base.
func reportPairs(b *testing.B, all []contender, took [][]time.Duration, base string) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	for i, c := range all {
		b.ReportMetric(ms(median(took[i])), c.name+"-ms")
		if i%2 == 1 {
			b.ReportMetric(ms(median(took[i]))/ms(median(took[i-1])), c.name+"/"+base)
		}
	}
}
