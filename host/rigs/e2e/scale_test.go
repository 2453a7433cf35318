package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
)

// TestScale holds containers: by default a few, to see that what each of them costs
// the host and the executor is constant; with DAVIT_SCALE=N so many, with the
// figures. `make scale` does it with 500.
func TestScale(t *testing.T) {
	need(t)
	n, restarts, idle := 20, 2, time.Second
	if v := os.Getenv("DAVIT_SCALE"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n < 4 {
			t.Fatalf("DAVIT_SCALE=%s: want a number of containers", v)
		}
		restarts, idle = 50, 30*time.Second
	}
	s := newSite(t, "backend \"main\" {\n  executor = \"shim\"\n}\n")
	client := api.NewClient(filepath.Join(s.dir, "run/davit.sock"))
	defer client.Close()
	c := &scale{site: s, client: client}
	load, _ := os.ReadFile("/proc/loadavg")
	t.Logf("load at the start: %s", bytes.TrimSpace(load))

	none := restOf(s.dir, idle)
	c.create(4) // what the first ones cost once is not a cost of each
	empty := c.usage()
	began := time.Now()
	c.create(n / 2)
	half := c.usage()
	c.create(n - n/2 - 4)
	t.Logf("%d containers created in %s", n-4, time.Since(began).Round(time.Millisecond))
	full := c.usage()

	var took, ps []time.Duration
	for range restarts {
		s.kill()
		took = append(took, c.readopt())
	}
	for range 20 {
		start := time.Now()
		if lines := strings.Count(s.must("ps"), "\n"); lines != n {
			t.Errorf("ps lists %d containers, want %d", lines, n)
		}
		ps = append(ps, time.Since(start))
	}
	before := c.usage()
	rest := restOf(s.dir, idle)
	after := c.usage()
	t.Logf("at rest with no container: %v", none)
	t.Logf("at rest with %d containers: %v", n, rest)

	t.Logf("host restart to all re-adopted: p50 %s, p99 %s of %d", quantile(took, 0.5), quantile(took, 0.99), len(took))
	t.Logf("davit ps: p50 %s, p99 %s", quantile(ps, 0.5), quantile(ps, 0.99))
	for _, p := range []struct {
		name                             string
		empty, half, full, before, after usage
	}{
		{"host", empty[0], half[0], full[0], before[0], after[0]},
		{"executor", empty[1], half[1], full[1], before[1], after[1]},
	} {
		t.Logf("%s: %.1f KiB, %.2f fds a container; %d MiB with all, %+d KiB and %s CPU in %s without events", p.name,
			float64(p.full.rss-p.empty.rss)/1024/float64(n-4), float64(p.full.fds-p.empty.fds)/float64(n-4),
			p.before.rss>>20, (p.after.rss-p.before.rss)>>10, p.after.cpu-p.before.cpu, idle)
	}

	// The stacks of all goroutines are what a Go program prints when it gets the signal to
	// quit. Containers do not mind.
	host, executor := c.stacks()
	t.Logf("goroutines: host %d, executor %d", host, executor)
	c.remove(n / 2)
	hostHalf, executorHalf := c.stacks()
	for name, d := range map[string]int{
		"fds of the host": full[0].fds - half[0].fds, "goroutines of the host": host - hostHalf,
		"fds of the executor": full[1].fds - half[1].fds, "goroutines of the executor": executor - executorHalf,
	} {
		each := float64(d) / float64(n/2)
		t.Logf("%s: %.2f a container", name, each)
		most := 0.5 // none
		if strings.HasSuffix(name, "executor") {
			most = 8 // a connection to the shim, and who reads it
		}
		if few := 6 / float64(n/2); each > most+few { // a few come and go
			t.Errorf("%s: %.2f a container, want at most %.1f", name, each, most)
		}
	}
}

// TestScaleOfCtr prints, with DAVIT_SCALE=N, what ctr's containers cost at rest.
func TestScaleOfCtr(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("DAVIT_SCALE"))
	if err != nil {
		t.Skip("DAVIT_SCALE is not set")
	}
	need(t)
	none, all := restOfCtr(t, n, 30*time.Second)
	t.Logf("ctr at rest with no container: %v", none)
	t.Logf("ctr at rest with %d containers: %v", n, all)
}

// scale is a site with many containers.
type scale struct {
	*site
	client *api.Client
	ids    []string
}

// create starts containers that sleep, a few at once.
func (c *scale) create(n int) {
	c.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			made, err := c.client.Create(context.Background(), api.ContainerOptions{Rootfs: rootfs, Process: ocispec.Options{Args: []string{"sleep", "36000"}}})
			if err != nil {
				c.t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			c.ids = append(c.ids, made.ID)
		})
	}
	wg.Wait()
}

// remove removes the latest containers.
func (c *scale) remove(n int) {
	c.t.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, id := range c.ids[len(c.ids)-n:] {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := c.client.Remove(context.Background(), id, true); err != nil {
				c.t.Error(err)
			}
		})
	}
	wg.Wait()
	c.ids = c.ids[:len(c.ids)-n]
}

// readopt starts the host and returns how long it takes until it watches all
// containers again.
func (c *scale) readopt() time.Duration {
	c.t.Helper()
	start := time.Now()
	c.launch()
	c.waitFor("all are re-adopted", func() bool {
		all, err := c.client.Backends(context.Background())
		return err == nil && all[0].State == "ready" && all[0].Containers == len(c.ids)
	})
	return time.Since(start)
}

// usage is what a process has.
type usage struct {
	rss int64 // bytes
	fds int
	cpu time.Duration
}

// usage is that of the host and of the executor.
func (c *scale) usage() [2]usage {
	c.t.Helper()
	c.waitBackend("main")
	return [2]usage{c.usageOf(c.serve.Process.Pid), c.usageOf(c.backend("main").PID)}
}

func (c *scale) usageOf(pid int) (u usage) {
	c.t.Helper()
	proc := fmt.Sprintf("/proc/%d/", pid)
	fds, err := os.ReadDir(proc + "fd")
	if err != nil {
		c.t.Fatal(err)
	}
	statm, err := os.ReadFile(proc + "statm")
	if err != nil {
		c.t.Fatal(err)
	}
	stat, err := os.ReadFile(proc + "stat")
	if err != nil {
		c.t.Fatal(err)
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, ticks := range fields[11:13] { // utime and stime, in hundredths of a second
		n, _ := strconv.Atoi(ticks)
		u.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	u.rss, u.fds = pages*int64(os.Getpagesize()), len(fds)
	return u
}

// stacks makes the host and the executor print their goroutines and end, counts
// them, and starts the host again.
func (c *scale) stacks() (host, executor int) {
	c.t.Helper()
	pid := c.backend("main").PID
	from, err := c.log.Seek(0, 1)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.serve.Process.Signal(syscall.SIGQUIT); err != nil {
		c.t.Fatal(err)
	}
	_ = c.serve.Wait()
	text, err := os.ReadFile(c.log.Name())
	if err != nil {
		c.t.Fatal(err)
	}
	host = bytes.Count(text[from:], []byte("\ngoroutine "))
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		c.t.Fatal(err)
	}
	log := filepath.Join(c.dir, "run/backends/main/log")
	c.waitFor("the executor has ended", func() bool {
		text, _ = os.ReadFile(log)
		return bytes.Contains(text, []byte("\nrip ")) || bytes.Contains(text, []byte("\npc "))
	})
	c.readopt()
	return host, bytes.Count(text, []byte("\ngoroutine "))
}

func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))].Round(100 * time.Microsecond)
}
