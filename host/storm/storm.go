package storm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how hard and how long it storms.
type Options struct {
	// Seed chooses the faults and the workloads. The moments at which they meet
	// are the machine's.
	Seed uint64
	// Duration ends the storm, and so does Kills if it is not 0. What runs then is
	// brought to its end in calm weather.
	Duration time.Duration
	Kills    int
	// Parallel is how many containers run at a time.
	Parallel int
	// Keep keeps the storm's directory if there were violations.
	Keep bool
	// Verbose logs every fault.
	Verbose bool
	// Module is the directory of davit's module, from which the binaries are
	// built. Daemons are the containerds: Debian's, and one of version 2.
	Module         string
	Debian, Newest string
	Out            io.Writer
}

// storm is one run.
type storm struct {
	opts    Options
	site    *site
	report  *report
	weather *weather
	calm    context.CancelFunc // ends the weather
	logging sync.Mutex

	mu    sync.Mutex
	downs map[string]int // containerds killed, by backend
	lives []*life
}

// Run runs a storm and prints its table. The error says that it could not be run,
// or how many violations there were.
func Run(ctx context.Context, opts Options) (err error) {
	r := newReport(opts.Out)
	fmt.Fprintf(opts.Out, "storm with seed %d for %s: %s, %s\n", opts.Seed, opts.Duration, version(opts.Debian), version(opts.Newest))
	st, err := newSite(ctx, opts.Module, []backend{
		{name: "debian", daemon: opts.Debian, ctr: beside(opts.Debian, "ctr"), runtimes: []string{"runc", "io.containerd.runc.v2", "io.containerd.runc.v1", "io.containerd.runtime.v1.linux"}},
		{name: "newest", daemon: opts.Newest, ctr: beside(opts.Newest, "ctr"), runtimes: []string{"runc", "io.containerd.runc.v2", "io.containerd.runc.v1"}, forgets: true},
	}, r)
	if err != nil {
		if st != nil && st.host != nil {
			err = errors.Join(err, st.stop())
		}
		return err
	}
	s := &storm{opts: opts, site: st, report: r, downs: map[string]int{}}
	s.weather = &weather{storm: s, rnd: rand.New(rand.NewPCG(opts.Seed, 0))}

	s.blow(ctx)
	if ctx.Err() == nil {
		s.killShims(ctx)
		s.checkEvents(ctx)
	}
	s.checkLeftovers(context.WithoutCancel(ctx)) // also when it is cut off
	r.print(opts.Seed)
	if n := r.failed(); n > 0 {
		err = fmt.Errorf("%d violations", n)
		if opts.Keep {
			return fmt.Errorf("%w; see %s", err, st.dir)
		}
	}
	return errors.Join(err, os.RemoveAll(st.dir))
}

// blow runs containers, and the weather over them.
func (s *storm) blow(ctx context.Context) {
	weather, calm := context.WithTimeout(ctx, s.opts.Duration)
	defer calm()
	s.calm = calm
	var next atomic.Int64
	var wg sync.WaitGroup
	for range s.opts.Parallel {
		wg.Go(func() {
			for weather.Err() == nil {
				s.live(ctx, weather, s.newLife(int(next.Add(1))))
			}
		})
	}
	s.weather.blow(weather)
	s.logf("calm; waiting for what still runs")
	wg.Wait()
	s.weather.wg.Wait()
}

func (s *storm) logf(format string, args ...any) {
	if s.opts.Verbose {
		s.logging.Lock()
		defer s.logging.Unlock()
		fmt.Fprintf(s.opts.Out, "%s %8.3fs ", time.Now().UTC().Format("15:04:05.000"), time.Since(s.report.begin).Seconds())
		fmt.Fprintf(s.opts.Out, format+"\n", args...)
	}
}

// version gives what a containerd says of itself.
func version(daemon string) string {
	out, err := exec.Command(daemon, "--version").Output()
	if err != nil {
		return err.Error()
	}
	if f := strings.Fields(string(out)); len(f) >= 3 {
		return "containerd " + f[2]
	}
	return strings.TrimSpace(string(out))
}

func beside(program, name string) string { return filepath.Join(filepath.Dir(program), name) }

// pause waits for d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
