package e2e

import (
	"archive/tar"
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
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// large has the bases of the image of the benchmarks: ten of together 300 MB, or DAVIT_PULL_MB,
// compressed, of the files of this machine's /usr. They are made once.
var large struct {
	once   sync.Once
	bases  []base
	rounds int
}

// largeShelf returns a registry for large images.
func largeShelf(b *testing.B) *shelf {
	b.Helper()
	dir := filepath.Join(filepath.Dir(bin), "shelf")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	s := newShelf(b, dir)
	large.once.Do(func() {
		mb := 300
		if n, err := strconv.Atoi(os.Getenv("DAVIT_PULL_MB")); err == nil {
			mb = n
		}
		large.bases = s.usrBases(b, 10, int64(mb)<<20/10)
	})
	return s
}

// large returns a large image of which nobody has any layer, and its size. With that nothing
// needs to be removed between two pulls: for minutes ext4 makes files more slowly where many
// were removed.
func (s *shelf) large(b *testing.B) (name string, size int64) {
	b.Helper()
	large.rounds++
	var layers []blobOf
	for _, base := range large.bases {
		l := s.variant(b, base, fmt.Sprint("round-", large.rounds))
		layers = append(layers, l)
		size += l.size
	}
	return s.put(b, fmt.Sprint("bench/large", large.rounds), layers, map[string]any{"Cmd": []string{"/bin/true"}}), size
}

// puller is somebody who pulls images.
type puller struct {
	name string
	// dir is in the command line, or the working directory, of all its daemons.
	dir  string
	pull func(image string) *exec.Cmd
}

// pullers are davit, ctr on two containerds, and docker, where that is installed.
func pullers(b *testing.B) (all []puller) {
	need(b, debian, newest)
	s := newSite(b, "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	all = append(all, puller{"davit", s.dir, func(image string) *exec.Cmd { return s.command("pull", "-q", image) }})
	for _, version := range []string{realtest.V16, realtest.V24} {
		d := realtest.Start(b, version)
		all = append(all, puller{"ctr-" + version, d.Dir, func(image string) *exec.Cmd {
			return exec.Command(filepath.Join(realtest.Bin(b, version), "ctr"), "-a", d.Address, "images", "pull", "--plain-http", image)
		}})
	}
	d, why := newDockerd(b)
	if d == nil {
		b.Logf("without docker: %s", why)
		return all
	}
	return append(all, puller{"docker", d.dir, func(image string) *exec.Cmd { return d.command("pull", "-q", image) }})
}

// run runs a command, and returns the CPU time that it and the puller's daemons took. What
// they have started and has ended is counted.
func (p puller) run(b *testing.B, cmd *exec.Cmd) (cpu time.Duration) {
	b.Helper()
	before := cpuOf(p.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v: %v: %s", p.name, cmd.Args, err, out)
	}
	return cpuOf(p.dir) - before + cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// cpuOf returns the CPU time of the processes that have a directory in their command line or
// as their working directory, and of their children that have ended.
func cpuOf(dir string) (sum time.Duration) {
	pids, _ := linux.PIDs()
	for _, pid := range pids {
		proc := fmt.Sprintf("/proc/%d", pid)
		command, _ := os.ReadFile(proc + "/cmdline")
		cwd, _ := os.Readlink(proc + "/cwd")
		if pid == os.Getpid() || !strings.Contains(string(command), dir) && !strings.HasPrefix(cwd, dir) {
			continue
		}
		stat, _ := os.ReadFile(proc + "/stat")
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 14 {
			for _, ticks := range f[11:15] { // its own and its children's, in user mode and the kernel
				n, _ := strconv.ParseInt(ticks, 10, 64)
				sum += time.Duration(n) * 10 * time.Millisecond
			}
		}
	}
	return sum
}

// BenchmarkPull measures the pull of the large image from a registry on the loopback, beside that of ctr and docker, in turns. It reports the medians of wall time and of
// the CPU time of all who take part, and their ratios to the fastest and the thriftiest peer.
// davit's time includes that all is on disk.
func BenchmarkPull(b *testing.B) {
	s := largeShelf(b)
	all := pullers(b)
	wall, cpu := make([][]time.Duration, len(all)), make([][]time.Duration, len(all))
	var size int64
	for b.Loop() {
		var name string
		name, size = s.large(b)
		for i, p := range all {
			unix.Sync() // what others have written
			sent, begin := s.sent.Load(), time.Now()
			cpu[i] = append(cpu[i], p.run(b, p.pull(name)))
			wall[i] = append(wall[i], time.Since(begin))
			if got := s.sent.Load() - sent; got < size {
				b.Errorf("%s fetched %d bytes of %d", p.name, got, size)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	bestWall, bestCPU := time.Hour, time.Hour
	for i := range all[1:] {
		bestWall, bestCPU = min(bestWall, median(wall[i+1])), min(bestCPU, median(cpu[i+1]))
	}
	var table strings.Builder
	fmt.Fprintf(&table, "pull of %d MB from the loopback\n%-12s %8s %8s %8s %8s\n", size>>20, "", "wall", "of best", "CPU", "of best")
	for i, p := range all {
		w, c := median(wall[i]), median(cpu[i])
		b.ReportMetric(ms(w), p.name+"-ms")
		b.ReportMetric(ms(c), p.name+"-cpu-ms")
		fmt.Fprintf(&table, "%-12s %7.2fs %8.2f %7.2fs %8.2f\n", p.name, w.Seconds(), w.Seconds()/bestWall.Seconds(), c.Seconds(), c.Seconds()/bestCPU.Seconds())
	}
	b.ReportMetric(median(wall[0]).Seconds()/bestWall.Seconds(), "davit/best-wall")
	b.ReportMetric(median(cpu[0]).Seconds()/bestCPU.Seconds(), "davit/best-cpu")
	b.Log(table.String())
}

// BenchmarkPullKilled kills the host six times during a pull, at equal distances, and reports
// how much of the image was fetched in all.
func BenchmarkPullKilled(b *testing.B) {
	const kills = 6
	shelf := largeShelf(b)
	need(b)
	s := newSite(b, "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	var fetched []float64
	for b.Loop() {
		name, size := shelf.large(b)
		shelf.rate.Store(50 << 20) // of each connection
		before := shelf.sent.Load()
		pull := s.command("pull", "-q", name)
		if err := pull.Start(); err != nil {
			b.Fatal(err)
		}
		for i := range int64(kills) {
			s.waitFor("more has come", func() bool { return shelf.sent.Load()-before > (i+1)*size/(kills+1) })
			s.kill()
			s.start()
		}
		if err := pull.Wait(); err != nil {
			b.Fatal(err)
		}
		fetched = append(fetched, float64(shelf.sent.Load()-before)/float64(size))
		shelf.rate.Store(0)
	}
	slices.Sort(fetched)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(fetched[len(fetched)/2], "fetched/size")
}

// BenchmarkRunImage measures /bin/true in a container of an image beside one of a root file
// system, on each backend, from the request to its exit code and removal.
func BenchmarkRunImage(b *testing.B) {
	need(b, debian)
	s := newSite(b, "backend \"shim\" {\n  executor = \"shim\"\n}\n", containerdBackend("containerd-1", debian, ""))
	s.must("load", "-i", busyboxImage(b, "app", 100))
	client := api.NewClient(filepath.Join(s.dir, "run/davit.sock"))
	b.Cleanup(client.Close)
	var all []contender
	for _, backend := range []string{"shim", "containerd-1"} {
		rooted := api.ContainerOptions{Backend: backend, AutoRemove: true, Rootfs: rootfs, Process: ocispec.Options{Args: []string{"/bin/true"}}}
		imaged := rooted
		imaged.Rootfs, imaged.Image, imaged.Entrypoint, imaged.HealthCheck = "", "app", []string{"/bin/true"}, &api.HealthCheck{None: true}
		imaged.Process.Args = nil
		for name, opts := range map[string]api.ContainerOptions{"rootfs": rooted, "image": imaged} {
			all = append(all, contender{backend + "/" + name, func(string) error {
				_, err := client.RunAttached(context.Background(), opts, api.Attachment{})
				return err
			}})
		}
	}
	slices.SortFunc(all, func(a, b contender) int { return strings.Compare(b.name, a.name) }) // rootfs before image
	took := make([][]time.Duration, len(all))
	for _, c := range all {
		c.mustRun(b, "first")
	}
	for b.Loop() {
		for i, c := range all {
			begin := time.Now()
			c.mustRun(b, "")
			took[i] = append(took[i], time.Since(begin))
		}
	}
	reportPairs(b, all, took, "rootfs")
}

// BenchmarkImageList measures the list of 500 images, by a client of the API and by `davit
// images`.
func BenchmarkImageList(b *testing.B) {
	need(b)
	s := newSite(b, "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	client := api.NewClient(filepath.Join(s.dir, "run/davit.sock"))
	b.Cleanup(client.Close)
	for i := range 500 {
		name := fmt.Sprintf("image:%d", i)
		archive := tarball(b, tarFile{Header: tar.Header{Name: "name"}, content: []byte(name)})
		if _, err := client.ImportImage(context.Background(), strings.NewReader(string(archive)), api.ImportOptions{Name: name}, nil); err != nil {
			b.Fatal(err)
		}
	}
	var library, command []time.Duration
	for b.Loop() {
		begin := time.Now()
		if list, err := client.Images(context.Background()); err != nil || len(list) != 500 {
			b.Fatalf("%d images, %v", len(list), err)
		}
		library = append(library, time.Since(begin))
		begin = time.Now()
		s.must("images")
		command = append(command, time.Since(begin))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(median(library)), "api-ms")
	b.ReportMetric(ms(median(command)), "davit-images-ms")
	s.must("image", "prune", "-a", "-f")
}

// BenchmarkPullMemory measures the host's peak of memory while it pulls a small image and a
// large one, in MiB.
func BenchmarkPullMemory(b *testing.B) {
	shelf := largeShelf(b)
	need(b)
	name, _ := shelf.large(b)
	small := shelf.put(b, "bench/small", []blobOf{shelf.addArchive(b, tarball(b, tarFile{Header: tar.Header{Name: "a"}}))}, map[string]any{})
	for b.Loop() {
		for size, image := range map[string]string{"small": small, "large": name} {
			s := newSite(b, "backend \"shim\" {\n  executor = \"shim\"\n}\n")
			s.must("pull", "-q", image)
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.serve.Process.Pid))
			if err != nil {
				b.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(status), "VmHWM:")
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			b.ReportMetric(float64(kib)/1024, size+"-MiB")
		}
	}
	b.ReportMetric(0, "ns/op")
}
