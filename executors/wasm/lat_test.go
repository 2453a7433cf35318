package wasm_test

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

func TestLat(t *testing.T) {
	s := newSite(t, `{}`)
	s.write("root/bin/m.wasm", nop)
	s.run("m")
	var ds, cs []time.Duration
	var r0, r1 syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_CHILDREN, &r0)
	n := 100
	for i := range n {
		w := s.workload(fmt.Sprintf("c%d", i), "m")
		t0 := time.Now()
		if _, err := s.backend.Create(context.Background(), w); err != nil {
			t.Fatal(err)
		}
		cs = append(cs, time.Since(t0))
		s.wait()
		ds = append(ds, time.Since(t0))
		s.backend.Delete(context.Background(), executor.Ref{ID: w.Ref.ID, Attempt: 1})
	}
	syscall.Getrusage(syscall.RUSAGE_CHILDREN, &r1)
	slices.Sort(ds)
	slices.Sort(cs)
	cpu := time.Duration((r1.Utime.Nano() - r0.Utime.Nano() + r1.Stime.Nano() - r0.Stime.Nano()) / int64(n))
	t.Log("create", cs[0], cs[n/4], cs[n/2], "all", ds[0], ds[n/4], ds[n/2], "cpu", cpu)
}
