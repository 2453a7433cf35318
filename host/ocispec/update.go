package ocispec

import (
	"encoding/json"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Limits are the limits that can be changed while a container runs. They mean what the
// fields of [Options] with the same names do, and 0 leaves a limit as it is.
type Limits struct {
	MemoryBytes       int64   `json:"memory_bytes,omitempty"`
	MemorySwap        int64   `json:"memory_swap,omitempty"`
	MemoryReservation int64   `json:"memory_reservation,omitempty"`
	CPUs              float64 `json:"cpus,omitempty"`
	CPUShares         uint64  `json:"cpu_shares,omitempty"`
	CPUSet            string  `json:"cpuset_cpus,omitempty"`
	MemSet            string  `json:"cpuset_mems,omitempty"`
	PidsLimit         int64   `json:"pids_limit,omitempty"`
	BlkioWeight       uint16  `json:"blkio_weight,omitempty"`
}

// LimitsOf returns the limits among options.
func LimitsOf(o Options) Limits {
	return Limits{
		MemoryBytes: o.MemoryBytes, MemorySwap: o.MemorySwap, MemoryReservation: o.MemoryReservation, CPUs: o.CPUs,
		CPUShares: o.CPUShares, CPUSet: o.CPUSet, MemSet: o.MemSet, PidsLimit: o.PidsLimit, BlkioWeight: o.BlkioWeight,
	}
}

// LimitsOfSpec returns the limits that a spec has.
func LimitsOfSpec(spec *specs.Spec) (l Limits) {
	if spec.Linux == nil || spec.Linux.Resources == nil {
		return l
	}
	r := spec.Linux.Resources
	if m := r.Memory; m != nil {
		l.MemoryBytes, l.MemorySwap, l.MemoryReservation = value(m.Limit), value(m.Swap), value(m.Reservation)
	}
	if c := r.CPU; c != nil {
		l.CPUShares, l.CPUSet, l.MemSet = value(c.Shares), c.Cpus, c.Mems
		if period := value(c.Period); period > 0 && value(c.Quota) > 0 {
			l.CPUs = float64(*c.Quota) / float64(period)
		}
	}
	if r.Pids != nil {
		l.PidsLimit = value(r.Pids.Limit)
	}
	if r.BlockIO != nil {
		l.BlkioWeight = value(r.BlockIO.Weight)
	}
	return l
}

// value returns what p points to, or zero.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (l Limits) options() *Options {
	return &Options{
		MemoryBytes: l.MemoryBytes, MemorySwap: l.MemorySwap, MemoryReservation: l.MemoryReservation, CPUs: l.CPUs,
		CPUShares: l.CPUShares, CPUSet: l.CPUSet, MemSet: l.MemSet, PidsLimit: l.PidsLimit, BlkioWeight: l.BlkioWeight,
	}
}

// Validate checks the limits by themselves. The error is [executor.Invalid].
func (l Limits) Validate() error {
	if l.MemoryBytes < 0 || l.CPUs < 0 {
		return invalid("a limit below 0 is not possible")
	}
	return l.options().Validate()
}

// Change returns a spec with the limits. Everything else in it keeps its bytes.
func (l Limits) Change(raw json.RawMessage) (json.RawMessage, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	spec, err := parseObject(raw, "")
	if err != nil {
		return nil, err
	}
	o := l.options()
	if err = spec.merge(patch{"linux": o.linux()}); err == nil {
		err = o.changeLimits(spec, "")
	}
	if err == nil {
		err = checkMemory(spec)
	}
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "%w", err)
	}
	return json.Marshal(spec)
}

// LimitsIn returns what of the linux.resources of a spec can be changed while a container
// runs.
func LimitsIn(raw json.RawMessage) (json.RawMessage, error) {
	var spec struct {
		Linux struct {
			Resources struct {
				Memory  json.RawMessage `json:"memory,omitempty"`
				CPU     json.RawMessage `json:"cpu,omitempty"`
				Pids    json.RawMessage `json:"pids,omitempty"`
				BlockIO json.RawMessage `json:"blockIO,omitempty"`
			} `json:"resources"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, executor.Errorf(executor.Internal, "reading back the spec: %w", err)
	}
	return json.Marshal(spec.Linux.Resources)
}
