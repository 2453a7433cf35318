package metrics

import (
	"fmt"
	"slices"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
	"github.com/prometheus/client_golang/prometheus"
)

// figure is a metric of a container: one value of its stats, or none if it is not known.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*measured) (float64, bool)
}

// flow is a metric of each interface of a container.
type flow struct {
	desc  *prometheus.Desc
	value func(api.Traffic) uint64
}

// figures are the metrics that a snapshot has.
type figures struct {
	labels     []string // of containers, that have metrics
	containers []figure
	flows      []flow

	states, backendStates           *prometheus.Desc
	starts, attaches, restarts      *prometheus.Desc
	failures, scrapeErrors, scraped *prometheus.Desc
}

// states of containers and of backends, each of which has a series.
var (
	containerStates = []api.State{
		api.StateCreated, api.StateCreating, api.StateRunning, api.StatePaused, api.StateExiting,
		api.StateExited, api.StateRestarting, api.StateUnknown, api.StateFailed,
	}
	backendStates = []api.BackendState{
		api.BackendStarting, api.BackendReady, api.BackendWaiting, api.BackendFailed, api.BackendRemoved, api.BackendStopped,
	}
)

// containerLabels are the labels of each metric of a container. Those that users allow follow.
var containerLabels = []string{"id", "name", "image", "backend", "runtime"}

// newFigures returns the metrics of containers with some labels of theirs.
func newFigures(labels []string) (*figures, error) {
	f := &figures{labels: labels}
	names := append([]string(nil), containerLabels...)
	from := map[string]string{}
	for _, label := range labels {
		name := config.MetricLabel(label)
		if other, taken := from[name]; taken {
			return nil, fmt.Errorf("the labels %q and %q would both become %s", other, label, name)
		}
		from[name] = label
		names = append(names, name)
	}
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, more, nil)
	}
	of := func(name, help string, kind prometheus.ValueType, value func(*measured) (float64, bool)) {
		f.containers = append(f.containers, figure{desc(name, help, names...), kind, value})
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	of("container_start_time_seconds", "When the container was started, as seconds since 1970.", gauge, func(m *measured) (float64, bool) { return unix(m.StartedAt) })
	of("container_last_seen", "When the container was measured, as seconds since 1970.", gauge, measure(func(s *executor.Stats) (float64, bool) { return unix(s.At) }))
	of("container_cpu_usage_seconds_total", "Processor time that the container has used.", counter, measure(func(s *executor.Stats) (float64, bool) {
		if s.CPU == nil {
			return 0, false
		}
		return s.CPU.Seconds(), true
	}))
	number := func(name, help string, kind prometheus.ValueType, value func(*executor.Stats) *uint64) {
		of(name, help, kind, measure(func(s *executor.Stats) (float64, bool) {
			if n := value(s); n != nil {
				return float64(*n), true
			}
			return 0, false
		}))
	}
	number("container_memory_usage_bytes", "Memory that counts against the container's limit.", gauge, func(s *executor.Stats) *uint64 { return s.MemoryUsage })
	number("container_memory_working_set_bytes", "Memory in use, without pages of files that nothing has used for a while.", gauge, func(s *executor.Stats) *uint64 { return s.Memory })
	number("container_spec_memory_limit_bytes", "Limit of the container's memory. There is none without a limit.", gauge, func(s *executor.Stats) *uint64 { return s.MemoryLimit })
	number("container_threads", "Processes and threads of the container.", gauge, func(s *executor.Stats) *uint64 { return s.Tasks })
	number("container_threads_max", "Limit of processes and threads. There is none without a limit.", gauge, func(s *executor.Stats) *uint64 { return s.TasksLimit })
	of("container_processes", "Processes of the container.", gauge, measure(func(s *executor.Stats) (float64, bool) { return float64(len(s.PIDs)), true }))
	number("container_fs_reads_bytes_total", "What the container has read from block devices.", counter, func(s *executor.Stats) *uint64 { return s.BlockRead })
	number("container_fs_writes_bytes_total", "What the container has written to block devices.", counter, func(s *executor.Stats) *uint64 { return s.BlockWritten })

	for way, value := range map[string]func(api.Traffic) api.LinkCount{
		"receive":  func(t api.Traffic) api.LinkCount { return t.Received },
		"transmit": func(t api.Traffic) api.LinkCount { return t.Sent },
	} {
		for unit, count := range map[string]func(api.LinkCount) uint64{
			"bytes":           func(c api.LinkCount) uint64 { return c.Bytes },
			"packets":         func(c api.LinkCount) uint64 { return c.Packets },
			"errors":          func(c api.LinkCount) uint64 { return c.Errors },
			"packets_dropped": func(c api.LinkCount) uint64 { return c.Dropped },
		} {
			f.flows = append(f.flows, flow{
				desc("container_network_"+way+"_"+unit+"_total", flowHelp(way, unit), append(slices.Clip(names), "interface")...),
				func(t api.Traffic) uint64 { return count(value(t)) },
			})
		}
	}
	f.states = desc("davit_containers", "Containers, by their state.", "backend", "state")
	f.backendStates = desc("davit_backend_state", "1 for the state that a backend is in, 0 for the others.", "backend", "state")
	f.starts = desc("davit_executor_starts_total", "Executors that were started.", "backend")
	f.attaches = desc("davit_executor_attaches_total", "Executors that still ran and were connected to.", "backend")
	f.restarts = desc("davit_executor_restarts_total", "Executors that replaced another one since the host came up.", "backend")
	f.failures = desc("davit_backend_failures", "Failures of a backend in a row.", "backend")
	f.scrapeErrors = desc("davit_scrape_errors", "Containers whose figures are missing in this answer, because their backend did not give them in time.", "backend")
	f.scraped = desc("davit_scrape_duration_seconds", "How long this answer took.")
	return f, nil
}

func flowHelp(way, unit string) string {
	verb := map[string]string{"receive": "received", "transmit": "sent"}[way]
	switch unit {
	case "bytes":
		return "Bytes that the container has " + verb + "."
	case "packets":
		return "Packets that the container has " + verb + "."
	case "errors":
		return "Packets with errors, of those that the container has " + verb + "."
	}
	return "Packets that were dropped, of those that the container has " + verb + "."
}

// measure makes the value of a figure of one of the container's stats.
func measure(value func(*executor.Stats) (float64, bool)) func(*measured) (float64, bool) {
	return func(m *measured) (float64, bool) {
		if m.stats == nil {
			return 0, false
		}
		return value(&m.stats.Stats)
	}
}

// unix returns a time in seconds since 1970, and whether it is one.
func unix(t time.Time) (float64, bool) { return float64(t.UnixNano()) / 1e9, !t.IsZero() }
