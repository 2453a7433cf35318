package storm

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// images pulls, loads, imports, runs, commits, saves and removes images while n kills come of the host, of executors, and of
// both. Whatever runs sees its image's files and no others; at the end nothing is left.
func images(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		g, err := newGallery(s.site.rootfs, s.seed, 3)
		if err != nil {
			s.report.bad(others, "the registry: %v", err)
			return
		}
		defer g.close()
		i := &imageStorm{storm: s, gallery: g}
		const rounds = 5
		for round := range rounds {
			i.round(ctx, n/rounds, s.seed+uint64(round))
		}
		if ctx.Err() == nil {
			i.end(ctx)
		}
	}
}

// imageStorm is a storm over images.
type imageStorm struct {
	*storm
	*gallery
	names atomic.Int64
}

// round does whatever there is to do with images, until n faults have come. Then it looks at
// what is on disk.
func (i *imageStorm) round(ctx context.Context, n int, seed uint64) {
	until, calm := context.WithTimeout(ctx, i.opts.Duration)
	defer calm()
	var workers sync.WaitGroup
	for w := range i.opts.Parallel / 2 {
		workers.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(w)))
			for until.Err() == nil {
				i.do(ctx, rnd)
			}
		})
	}
	rnd := rand.New(rand.NewPCG(seed, 1<<32))
	for came := 0; came < n; {
		if i.site.waitAnswer(until) != nil || !pause(until, upTo(rnd, 400*time.Millisecond)) {
			i.report.bad(tooFew, "%d of %d faults in a round", came, n)
			break
		}
		kind := []string{killsHost, killsHost, killsHost, killsExecutor, killsHostExec}[rnd.IntN(5)]
		if i.strike(until, kind, i.site.targets[rnd.IntN(len(i.site.targets))], rnd) {
			came++
			i.report.fault(kind, "images")
		}
	}
	calm()
	workers.Wait()
	if err := i.site.waitReady(ctx); err != nil {
		i.report.bad(others, "%v", err)
		return
	}
	i.checkStore(filepath.Join(i.site.dir, "state/images"), func(format string, args ...any) { i.report.bad(damaged, format, args...) })
}

// do does one thing with an image. What fails did not happen, or somebody else does it: the
// host was killed, or the image was removed meanwhile.
func (i *imageStorm) do(ctx context.Context, rnd *rand.Rand) {
	p, t := i.images[rnd.IntN(len(i.images))], i.site.targets[rnd.IntN(len(i.site.targets))]
	switch rnd.IntN(12) {
	case 0:
		_, _ = i.davit(ctx, "pull", "-q", p.name)
	case 1:
		_, _ = i.davit(ctx, "rmi", "-f", p.name)
	case 2:
		_, _ = i.davit(ctx, "image", "prune", "-a", "-f")
	case 3:
		i.commit(ctx, t, p)
	case 4:
		_, _ = i.reads(ctx, p.saved, "load", "-q")
	case 5:
		i.imports(ctx, t, p)
	case 6:
		i.saves(ctx, p)
	default:
		_ = i.runs(ctx, t, p.name, p)
	}
}

// davit runs a davit command, and returns what it prints.
func (i *imageStorm) davit(ctx context.Context, args ...string) (string, error) {
	return i.reads(ctx, nil, args...)
}

// reads runs a davit command that reads input.
func (i *imageStorm) reads(ctx context.Context, input []byte, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := i.site.client.command(ctx, args...)
	if input != nil {
		cmd.Stdin = bytes.NewReader(input)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("davit %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), err
}

// runs runs a container of an image, which prints the sum of its files.
func (i *imageStorm) runs(ctx context.Context, t target, image string, p picture) error {
	got, err := i.davit(ctx, "run", "--rm", "--backend", t.name, image, "--tree", "/"+dataDir)
	switch {
	case err != nil:
		i.logf("%v", err)
	case got != p.tree:
		i.report.bad(damaged, "a container of %s on %s has other files than the image: %s, want %s", image, t.name, got, p.tree)
	default:
		i.report.count("containers that had their image's files", 1)
	}
	return err
}

// commit makes an image of a container that has changed nothing, runs that and removes all.
func (i *imageStorm) commit(ctx context.Context, t target, p picture) {
	name := fmt.Sprintf("commit-%d", i.names.Add(1))
	if _, err := i.davit(ctx, "run", "--name", name, "--backend", t.name, p.name, "--tree", "/"+dataDir); err == nil {
		if _, err = i.davit(ctx, "commit", name, name); err == nil {
			_ = i.runs(ctx, t, name, p)
		}
	}
	if err := i.delete(ctx, name); err != nil {
		i.report.bad(leftovers, "%s cannot be removed: %v", name, err)
	}
	_, _ = i.davit(ctx, "rmi", "-f", name) // or the end does it
}

// imports makes an image of a root file system, runs that and removes it.
func (i *imageStorm) imports(ctx context.Context, t target, p picture) {
	name := fmt.Sprintf("import-%d", i.names.Add(1))
	if _, err := i.reads(ctx, p.flat, "import", "-q", "-c", "ENTRYPOINT [\"/bin/"+workload+"\"]", "-", name); err == nil {
		_ = i.runs(ctx, t, name, p)
	}
	_, _ = i.davit(ctx, "rmi", "-f", name) // or the end does it
}

// saves writes an archive of an image. It is there only if it is whole.
func (i *imageStorm) saves(ctx context.Context, p picture) {
	file := filepath.Join(i.site.dir, fmt.Sprintf("saved-%d.tar", i.names.Add(1)))
	_, err := i.davit(ctx, "save", "-q", "-o", file, p.name)
	archive, rerr := os.ReadFile(file)
	switch {
	case err == nil && rerr != nil:
		i.report.bad(damaged, "the archive of %s is not there: %v", p.name, rerr)
	case rerr == nil:
		i.report.count("archives saved", 1)
		if err := checkArchive(archive); err != nil {
			i.report.bad(damaged, "the archive of %s: %v", p.name, err)
		}
		_ = os.Remove(file)
	}
}

// checkArchive checks that each blob of an OCI layout is what its name says, and that the
// archive has an end.
func checkArchive(archive []byte) error {
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) && len(archive) > 1024 && len(bytes.Trim(archive[len(archive)-1024:], "\x00")) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if digest, ok := strings.CutPrefix(h.Name, "blobs/sha256/"); ok && digestOf(content) != "sha256:"+digest && h.Typeflag == tar.TypeReg {
			return fmt.Errorf("blob %s is %s", digest, digestOf(content))
		}
	}
}

// end pulls and runs each image in calm weather, on each target, and then removes all there
// is. Nothing may be left on disk.
func (i *imageStorm) end(ctx context.Context) {
	for _, p := range i.images {
		if _, err := i.davit(ctx, "rmi", "-f", p.name); err != nil && !strings.Contains(err.Error(), "not_found") {
			i.logf("%v", err)
		}
		before := i.sent.Load()
		if _, err := i.davit(ctx, "pull", "-q", p.name); err != nil {
			i.report.bad(others, "%v", err)
		}
		i.logf("%s: %d bytes of %d were fetched", p.name, i.sent.Load()-before, p.size)
		for _, t := range i.site.targets {
			if err := i.runs(ctx, t, p.name, p); err != nil {
				i.report.bad(others, "%v", err)
			}
		}
	}
	var all []struct{ ID string }
	if err := i.insist(ctx, func() error { return i.site.client.call(ctx, "GET", "/containers", nil, &all) }); err != nil {
		i.report.bad(others, "%v", err)
	}
	for _, c := range all { // of those that were cut off with their client
		if err := i.delete(ctx, c.ID); err != nil {
			i.report.bad(leftovers, "container %s cannot be removed: %v", c.ID, err)
		}
	}
	if _, err := i.davit(ctx, "image", "prune", "-a", "-f"); err != nil {
		i.report.bad(others, "%v", err)
	}
	state := filepath.Join(i.site.dir, "state")
	for begin := time.Now(); len(leftOfImages(state)) > 0 && time.Since(begin) < patience; {
		pause(ctx, 50*time.Millisecond)
	}
	for _, what := range leftOfImages(state) {
		i.report.bad(leftovers, "of images: %s", what)
	}
}
